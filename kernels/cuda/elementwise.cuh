// How elementwise kernels walk over an array: each thread takes `lanes` neighbouring elements at a time, and strides.
#pragma once

#include "device.cuh"

namespace stipple::cuda {

template <int lanes>
__device__ __forceinline__ Index first_element() {
  return (Index{blockIdx.x} * blockDim.x + threadIdx.x) * lanes;
}
template <int lanes>
__device__ __forceinline__ Index element_stride() {
  return Index{gridDim.x} * blockDim.x * lanes;
}

/// a / b, of non-negative numbers; a division of 32 bits where they fit, which costs a fraction.
__device__ __forceinline__ Index quotient(Index a, Index b) {
  if (((a | b) >> 32) == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
  return a / b;
}

}  // namespace stipple::cuda
