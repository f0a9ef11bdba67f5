// How kernels walk over (samples, pixels, channels) when they need numbers of a channel: a block takes a slab of pixels
// of one sample; its threads lie along the channels, `lanes` of them each, and along the pixels.
#pragma once

#include "elementwise.cuh"

namespace stipple::cuda {

/// Cuts of an image. They depend on it alone, so that a sample's sums are the same in every batch and on every GPU.
struct Slabs {
  Index samples, pixels, channels;
  Index size;           ///< pixels of a slab
  Index count;          ///< slabs of an image
  Index column_blocks;  ///< blocks side by side, where the channels are too many for one
};

/// Threads of such blocks at most.
inline constexpr unsigned column_threads = 256;

/// What a thread of the block does: the channels from `channel` on, and every blockDim.y-th pixel from `pixel` on.
struct Columns {
  Index sample, slab;
  Index channel;
  Index pixel, end;
  bool inside;  ///< the channel exists

  template <int lanes>
  static __device__ __forceinline__ Columns of_thread(const Slabs& s) {
    // A grid has fewer than 2^31 blocks, so 32 bits do.
    auto const column_blocks = static_cast<unsigned>(s.column_blocks), slabs = static_cast<unsigned>(s.count);
    unsigned const item = blockIdx.x / column_blocks, sample = item / slabs, slab = item % slabs;
    Index const first = slab * s.size;
    Index const channel = (Index{blockIdx.x - item * column_blocks} * blockDim.x + threadIdx.x) * lanes;
    Index const end = first + s.size < s.pixels ? first + s.size : s.pixels;
    return {sample, slab, channel, first + threadIdx.y, end, channel < s.channels};
  }
};

/// values[k] becomes combine(...) of all of them over the threads of the block with this thread's channels and
/// threadIdx.z. blockDim.y is a power of two, and the block has at most 256 threads; `scratch` holds 256 * lanes
/// floats. Every thread takes part.
template <int lanes, class Combine>
__device__ __forceinline__ void combine_over_pixels(float (&values)[lanes], float* scratch, const Combine& combine) {
  unsigned const first = threadIdx.z * blockDim.y * blockDim.x + threadIdx.x, self = first + threadIdx.y * blockDim.x;
#pragma unroll
  for (int k = 0; k < lanes; ++k) scratch[k * column_threads + self] = values[k];
  for (unsigned rows = blockDim.y / 2; rows > 0; rows /= 2) {
    __syncthreads();
    if (threadIdx.y < rows) {
#pragma unroll
      for (int k = 0; k < lanes; ++k) {
        float* const at = scratch + k * column_threads + self;
        *at = combine(*at, at[rows * blockDim.x]);
      }
    }
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < lanes; ++k) values[k] = scratch[k * column_threads + first];
  __syncthreads();  // scratch may be used again
}
template <int lanes>
__device__ __forceinline__ void sum_over_pixels(float (&values)[lanes], float* scratch) {
  combine_over_pixels(values, scratch, [](float a, float b) { return a + b; });
}

}  // namespace stipple::cuda
