// What the kernels of attention are told of their operands.
#pragma once

#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple {

struct AttentionShape {
  Index samples, heads, queries, keys, dim;
  double scale;
  bool causal;
};

/// Rows of one operand, `stride` apart in every sample; head h takes the `dim` numbers from h dim on.
template <class T, Device D = Cpu>
struct AttentionRows {
  typename D::template pointer<T> data;
  Index stride;
};

}  // namespace stipple
