// Vectors of which only the first lanes count, and sums over the rows of an array: for kernels that work row by row.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/simd.hpp>

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/lanes.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// out[c] = sum over the rows of part[row, c]: (rows, columns) to (columns), rows in rising order.
template <class C>
void sum_rows(const C* part, Index rows, Index columns, Index stride, C* out) {
  constexpr Index piece = 64;
  parallel_for(columns, std::max(piece, piece * (256 / std::max<Index>(1, rows))), [=](Index first, Index last) {
    double total[piece];
    for (Index at = first; at < last; at += piece) {
      Index const count = std::min(piece, last - at);
      std::fill_n(total, count, 0.0);
      for (Index row = 0; row < rows; ++row)
        for (Index c = 0; c < count; ++c) total[c] += static_cast<double>(part[row * stride + at + c]);
      for (Index c = 0; c < count; ++c) out[at + c] = static_cast<C>(total[c]);
    }
  });
}

}  // namespace stipple::cpu
