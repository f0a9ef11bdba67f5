// Extents of a convolution, shared by the dense and the depthwise kernels.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple::cpu {

/// x (n, h, w, c), weight (kh, kw, c / groups, o), y (n, oh, ow, o).
struct ConvDims {
  Index n = 0, h = 0, w = 0, c = 0;
  Index kh = 1, kw = 1, o = 0;
  Index oh = 0, ow = 0;
  Index stride = 1, padding = 0, dilation = 1, groups = 1;
};

}  // namespace stipple::cpu
