// What the kernels of attention are told of their operands.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple::cpu {

struct AttentionShape {
  Index samples, heads, queries, keys, dim;
  double scale;
  bool causal;
};

/// Rows of one operand, `stride` apart in every sample; head h takes the `dim` numbers from h dim on.
template <class T>
struct AttentionRows {
  T* data;
  Index stride;
};

/// Products below which attention is not shared among threads.
inline constexpr Index attention_grain = 256 * 1024;

}  // namespace stipple::cpu
