// Sums and maxima over the threads of a warp and of a block, in an order that is always the same.
#pragma once

#include "device.cuh"

namespace stipple::cuda {

/// The larger; a NaN if one is.
__device__ __forceinline__ float larger(float a, float b) { return a > b || a != a ? a : b; }

/// Every lane gets the result. For float and double.
template <class V>
__device__ __forceinline__ V warp_sum(V value) {
#pragma unroll
  for (int distance = warp_size / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(all_lanes, value, distance);
  return value;
}
__device__ __forceinline__ float warp_max(float value) {
#pragma unroll
  for (int distance = warp_size / 2; distance > 0; distance /= 2)
    value = larger(value, __shfl_xor_sync(all_lanes, value, distance));
  return value;
}

/// Every thread gets the result. blockDim.x is a multiple of 32, and the only extent; `scratch` holds a number a warp.
template <class V>
__device__ __forceinline__ V block_sum(V value, V* scratch) {
  value = warp_sum(value);
  if (threadIdx.x % warp_size == 0) scratch[threadIdx.x / warp_size] = value;
  __syncthreads();
  V total = 0;
  for (unsigned warp = 0; warp < blockDim.x / warp_size; ++warp) total += scratch[warp];
  __syncthreads();  // scratch may be used again
  return total;
}
__device__ __forceinline__ float block_max(float value, float* scratch) {
  value = warp_max(value);
  if (threadIdx.x % warp_size == 0) scratch[threadIdx.x / warp_size] = value;
  __syncthreads();
  float most = scratch[0];
  for (unsigned warp = 1; warp < blockDim.x / warp_size; ++warp) most = larger(most, scratch[warp]);
  __syncthreads();
  return most;
}

}  // namespace stipple::cuda
