// What resizing does to images.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple {

/// n images of height x width x channels to out_height x out_width; see ResizeSpec.
struct ResizePlan {
  Index n = 0, height = 0, width = 0, channels = 0, out_height = 0, out_width = 0;
  bool bilinear = false, align_corners = false;
};

}  // namespace stipple
