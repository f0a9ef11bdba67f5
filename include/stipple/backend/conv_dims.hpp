// Extents of a convolution, as kernels see them.
#pragma once

#include <compare>

#include <stipple/core/shape.hpp>

namespace stipple {

/// x (n, h, w, c), weight (kh, kw, c / groups, o), y (n, oh, ow, o).
struct ConvDims {
  Index n = 0, h = 0, w = 0, c = 0;
  Index kh = 1, kw = 1, o = 0;
  Index oh = 0, ow = 0;
  Index stride = 1, padding = 0, dilation = 1, groups = 1;

  auto operator<=>(const ConvDims&) const = default;
};

/// A kernel a channel.
inline bool is_depthwise(const ConvDims& d) { return d.groups > 1 && d.groups == d.c && d.groups == d.o; }

}  // namespace stipple
