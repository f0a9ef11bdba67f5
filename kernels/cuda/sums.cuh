// Sums over the middle of outer x middle x inner, for the operations that reduce.
#pragma once

#include <algorithm>

#include "arithmetic.cuh"
#include "launch.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

/// Pieces that the sums of one outer index are cut into at most: enough blocks for any GPU. It is a constant, and no
/// property of the device, so that the order of a sum is the same everywhere.
inline constexpr Index sum_pieces = 1024;

/// One launch: sums of pieces of `size` of the middle, out being (outer, pieces, inner).
template <class T, class U>
void sum_pieces_of(const char* operation, const T* g, const T* factor, U* out, Broadcast s, Index size) {
  constexpr int lanes = lanes_of<T>;
  Index const pieces = (s.middle + size - 1) / size;
  bool const whole = aligned(g, factor);
  if (s.inner == 1) {
    bool const rows_aligned = whole && s.middle % lanes == 0 && size % lanes == 0;
    bool const small = size <= 1024;
    Index const items = s.outer * pieces, blocks = small ? (items + 7) / 8 : items;
    launch(operation, small ? sum_rows_kernel<T, U, 32> : sum_rows_kernel<T, U, 256>,
           {dim3(grid_extent(operation, blocks)), dim3(256)}, g, factor, out, s.outer, s.middle, size, rows_aligned);
    return;
  }
  Index const packs = (s.inner + lanes - 1) / lanes;
  unsigned columns = 32;
  while (columns > 1 && columns / 2 >= packs) columns /= 2;
  Index const column_blocks = (packs + columns - 1) / columns;
  launch(operation, sum_columns_kernel<T, U>,
         {dim3(grid_extent(operation, column_blocks * s.outer * pieces)), dim3(columns, 256 / columns)}, g, factor, out,
         s.middle, s.inner, size, whole && s.inner % lanes == 0);
}

/// out[o, i] = sum over m of g[o, m, i] (* factor[o, m, i] unless null). The order of a sum depends on
/// s.middle and s.inner alone.
template <class T, class U>
void sum_middle(const char* operation, const T* g, const T* factor, U* out, Broadcast s) {
  constexpr int lanes = lanes_of<T>;
  if (s.outer * s.inner == 0) return;
  if (s.middle == 0) {
    U const zero{};
    Memory<Cuda>::fill(out, zero, static_cast<std::size_t>(s.outer * s.inner));
    return;
  }
  Index const sums = (s.inner + 32 * lanes - 1) / (32 * lanes);  // of a sample: others must not change its cuts
  Index const least = s.inner == 1 ? 4096 : 64;                  // elements of the middle that are worth a block
  Index const wanted = std::max<Index>(1, sum_pieces / sums);
  Index const share = (s.middle + wanted - 1) / wanted;
  Index const size = std::max(least, (share + 31) / 32 * 32);
  Index const pieces = (s.middle + size - 1) / size;
  if (pieces == 1) {
    sum_pieces_of(operation, g, factor, out, s, s.middle);
    return;
  }
  Workspace<float> partial(s.outer * pieces * s.inner);
  sum_pieces_of(operation, g, factor, partial.data(), s, size);
  sum_pieces_of<float, U>(operation, partial.data(), nullptr, out, {s.outer, pieces, s.inner}, pieces);
}

}  // namespace stipple::cuda
