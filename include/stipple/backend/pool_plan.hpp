// What pooling does to images.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple {

/// Square windows over images of n x height x width x channels.
struct PoolPlan {
  Index n = 0, height = 0, width = 0, channels = 0;
  Index kernel = 1, stride = 1, padding = 0;
  Index out_height = 0, out_width = 0;

  /// True if every pixel lies in exactly one window.
  bool tiles() const {
    return kernel == stride && padding == 0 && out_height * stride == height && out_width * stride == width;
  }
};

}  // namespace stipple
