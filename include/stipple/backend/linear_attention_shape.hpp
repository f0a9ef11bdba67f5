// What the kernels of linear attention are told of their operands.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple {

struct LinearAttentionShape {
  Index samples, heads, positions, dim;
};

}  // namespace stipple
