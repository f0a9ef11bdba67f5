// What padding and cropping do to images.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple {

/// n images of height x width x channels; `top` and `left` as in PadSpec, the outputs' extents include all edges.
struct PadPlan {
  Index n = 0, height = 0, width = 0, channels = 0;
  Index top = 0, left = 0, out_height = 0, out_width = 0;
};

}  // namespace stipple
