// Launches of the blocks of columns.cuh.
#pragma once

#include <algorithm>

#include "columns.cuh"
#include "launch.cuh"

namespace stipple::cuda {

/// Slabs of 16 Ki elements: work enough for a block, and small enough to stay in a cache.
template <class T>
Slabs slabs_of(Index samples, Index pixels, Index channels) {
  constexpr Index elements = 16 * 1024, lanes = lanes_of<T>;
  Index const size = std::max<Index>(1, std::min(pixels, elements / channels));
  Index const packs = (channels + lanes - 1) / lanes;
  return {samples, pixels, channels, size, (pixels + size - 1) / size, (packs + column_threads - 1) / column_threads};
}

template <class T>
LaunchShape column_shape(const Slabs& s) {
  Index const packs = (s.channels + lanes_of<T> - 1) / lanes_of<T>;
  auto const columns = static_cast<unsigned>(std::min<Index>(packs, column_threads));
  unsigned rows = 1;
  while (2 * rows * columns <= column_threads) rows *= 2;
  return {dim3(grid_extent("slabs", s.samples * s.count * s.column_blocks)), dim3(columns, rows)};
}

}  // namespace stipple::cuda
