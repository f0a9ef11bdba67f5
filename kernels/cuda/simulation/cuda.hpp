// What kernels use of CUDA, for a host compiler: keywords, coordinates and intrinsics, on top of the executor.
// Included by device.cuh alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "executor.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define threadIdx (::stipple::cuda::simulation::thread_index())
#define blockIdx (::stipple::cuda::simulation::block_index())
#define blockDim (::stipple::cuda::simulation::block_extents())
#define gridDim (::stipple::cuda::simulation::grid_extents())

using dim3 = stipple::cuda::simulation::Extents;

inline void __syncthreads() { stipple::cuda::simulation::block_barrier(); }
inline int __syncthreads_count(int predicate) { return stipple::cuda::simulation::block_count(predicate != 0); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { stipple::cuda::simulation::warp_barrier(mask, "__syncwarp"); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  unsigned const w = static_cast<unsigned>(width), lane = stipple::cuda::simulation::lane();
  return stipple::cuda::simulation::exchange(mask, value, "__shfl_sync", [=](auto get) {
    return get((lane & ~(w - 1)) | (static_cast<unsigned>(source) & (w - 1)));
  });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  unsigned const w = static_cast<unsigned>(width), lane = stipple::cuda::simulation::lane();
  unsigned const from = lane ^ static_cast<unsigned>(lanes);
  return stipple::cuda::simulation::exchange(mask, value, "__shfl_xor_sync", [=](auto get) {
    return from / w > lane / w ? value : get(from);  // lanes of later groups are not reached
  });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32) {
  unsigned const w = static_cast<unsigned>(width), lane = stipple::cuda::simulation::lane();
  return stipple::cuda::simulation::exchange(mask, value, "__shfl_down_sync", [=](auto get) {
    return (lane & (w - 1)) + distance < w ? get(lane + distance) : value;
  });
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return stipple::cuda::simulation::exchange(mask, predicate, "__ballot_sync", [=](auto get) {
    unsigned votes = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
      if (mask >> lane & 1u) votes |= static_cast<unsigned>(get(lane) != 0) << lane;
    return votes;
  });
}

/// For integers: a sum of floats would depend on the order of the threads.
template <class T>
requires std::is_integral_v<T> T atomicAdd(T* address, T value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
