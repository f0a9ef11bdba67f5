// How kernels walk over rows: `threads` threads a row, a warp or a block of 256.
#pragma once

#include "block.cuh"
#include "columns.cuh"

namespace stipple::cuda {

struct Row {
  Index index;
  Index lane;  ///< of the threads that share the row
  bool own;    ///< false in warps behind the last row, which do it too but write nothing

  template <int threads>
  static __device__ __forceinline__ Row of_thread(Index rows) {
    Index const row = Index{blockIdx.x} * (256 / threads) + threadIdx.x / threads;
    return {row < rows ? row : rows - 1, static_cast<Index>(threadIdx.x % threads), row < rows};
  }
};

/// Sum and maximum over the threads that share a row. Every one of them gets the result.
template <int threads>
__device__ __forceinline__ float row_sum(float value, float* scratch) {
  if constexpr (threads == warp_size)
    return warp_sum(value);
  else
    return block_sum(value, scratch);
}
template <int threads>
__device__ __forceinline__ float row_max(float value, float* scratch) {
  if constexpr (threads == warp_size)
    return warp_max(value);
  else
    return block_max(value, scratch);
}

}  // namespace stipple::cuda
