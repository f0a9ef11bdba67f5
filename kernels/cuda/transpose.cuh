#pragma once

#include "device.cuh"

namespace stipple::cuda {

inline constexpr int transpose_tile = 32;

// to (columns, rows) = from (rows, columns), transposed and converted. A block of 32 x 8 threads does a tile of 32 x
// 32; row_tiles of them lie under each other.
template <class T, class U>
__global__ void __launch_bounds__(256)
    transpose_kernel(const T* from, U* to, Index rows, Index columns, Index row_tiles) {
  constexpr int tile = transpose_tile, pitch = tile + 1;  // so that the columns of a tile lie in different banks
  STIPPLE_SHARED(T, values, tile * pitch);
  Index const row_tile = blockIdx.x % row_tiles, column_tile = blockIdx.x / row_tiles;
  Index const first_row = row_tile * tile, first_column = column_tile * tile;
  for (unsigned y = threadIdx.y; y < tile; y += blockDim.y)
    if (first_row + y < rows && first_column + threadIdx.x < columns)
      values[y * pitch + threadIdx.x] = from[(first_row + y) * columns + first_column + threadIdx.x];
  __syncthreads();
  for (unsigned y = threadIdx.y; y < tile; y += blockDim.y)
    if (first_column + y < columns && first_row + threadIdx.x < rows)
      to[(first_column + y) * rows + first_row + threadIdx.x] =
          from_float<U>(to_float(values[threadIdx.x * pitch + y]));
}

}  // namespace stipple::cuda
