// The one header that kernel text includes: CUDA under nvcc, the executor of the tests under other compilers.
// Elements are stored as float or bf16; arithmetic is done in float.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include <stipple/core/device.hpp>
#include <stipple/core/dtype.hpp>
#include <stipple/core/shape.hpp>

#if defined(__CUDACC__)
#include <cuda_runtime.h>
// An array of the block, named by the kernel. Its contents are unspecified at first.
#define STIPPLE_SHARED(T, name, count) __shared__ __align__(16) T name[count]
#else
#include "simulation/cuda.hpp"
#define STIPPLE_SHARED(T, name, count)                                                             \
  T* const name = [] {                                                                             \
    static char const site = 0;                                                                    \
    return static_cast<T*>(::stipple::cuda::simulation::shared_array(&site, (count) * sizeof(T))); \
  }()
#endif

namespace stipple::cuda {

inline constexpr int warp_size = 32;
inline constexpr unsigned all_lanes = 0xffffffffu;

/// Shared memory of the size that the launch names.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#if defined(__CUDACC__)
  extern __shared__ __align__(16) unsigned char stipple_dynamic_shared[];
  return reinterpret_cast<T*>(stipple_dynamic_shared);
#else
  return static_cast<T*>(simulation::dynamic_shared());
#endif
}

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }

/// Rounds to nearest even for bf16.
template <class T>
__device__ __forceinline__ T from_float(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
#if defined(__CUDACC__)
    bf16 rounded;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded.bits) : "f"(x));
    return rounded;
#else
    return bf16(x);
#endif
  }
}

/// a b, rounded before it is used: no part of a fused multiply-add.
__device__ __forceinline__ float rounded_product(float a, float b) {
#if defined(__CUDACC__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

/// sin(pi x) and cos(pi x); unlike those of radians, they need no local memory on a GPU.
__device__ __forceinline__ float sine_of_half_turns(float x) {
#if defined(__CUDACC__)
  return sinpif(x);
#else
  return static_cast<float>(std::sin(3.141592653589793 * static_cast<double>(x)));
#endif
}
__device__ __forceinline__ float cosine_of_half_turns(float x) {
#if defined(__CUDACC__)
  return cospif(x);
#else
  return static_cast<float>(std::cos(3.141592653589793 * static_cast<double>(x)));
#endif
}

/// 16 bytes, read and written by one instruction.
struct alignas(16) Quad {
  std::uint32_t word[4];
};
__device__ __forceinline__ Quad load_quad(const void* from) {
#if defined(__CUDACC__)
  uint4 const words = *static_cast<const uint4*>(from);
  return {{words.x, words.y, words.z, words.w}};
#else
  simulation::check_vector(from, sizeof(Quad));
  return *static_cast<const Quad*>(from);
#endif
}
/// To the memory of the GPU, not of the block. An instruction by name: of an assignment nvcc often makes four stores.
__device__ __forceinline__ void store_quad(void* to, const Quad& quad) {
#if defined(__CUDACC__)
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(quad.word[0]),
               "r"(quad.word[1]), "r"(quad.word[2]), "r"(quad.word[3])
               : "memory");
#else
  simulation::check_device_vector(to, sizeof(Quad));
  *static_cast<Quad*>(to) = quad;
#endif
}

/// To the memory of the block.
__device__ __forceinline__ void store_shared_quad(void* to, const Quad& quad) {
#if defined(__CUDACC__)
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "r"(quad.word[0]), "r"(quad.word[1]), "r"(quad.word[2]), "r"(quad.word[3])
               : "memory");
#else
  simulation::check_shared_vector(to, sizeof(Quad));
  *static_cast<Quad*>(to) = quad;
#endif
}

/// Elements that a thread takes at once: 16 bytes of the narrower type.
template <class T, class U = T>
inline constexpr int lanes_of = 16 / static_cast<int>(sizeof(T) < sizeof(U) ? sizeof(T) : sizeof(U));

/// values[k] = from[i + k] for the elements below n, 0 for the others. `aligned`: from + i is a multiple of 16 bytes.
template <int lanes, class T>
__device__ __forceinline__ void load_lanes(const T* from, Index i, Index n, bool aligned, float (&values)[lanes]) {
  constexpr int per_quad = 16 / static_cast<int>(sizeof(T));
  if (lanes % per_quad == 0 && aligned && i + lanes <= n) {
#pragma unroll
    for (int q = 0; q < lanes / per_quad; ++q) {
      Quad const quad = load_quad(from + i + q * per_quad);
#pragma unroll
      for (int k = 0; k < per_quad; ++k) {
        if constexpr (std::is_same_v<T, float>)
          values[q * per_quad + k] = __uint_as_float(quad.word[k]);
        else
          values[q * per_quad + k] =
              __uint_as_float(k % 2 == 0 ? quad.word[k / 2] << 16 : quad.word[k / 2] & 0xffff0000u);
      }
    }
  } else {
#pragma unroll
    for (int k = 0; k < lanes; ++k) values[k] = i + k < n ? to_float(from[i + k]) : 0.0f;
  }
}
/// to[i + k] = values[k] for the elements below n, in the memory of the GPU.
template <int lanes, class T>
__device__ __forceinline__ void store_lanes(T* to, Index i, Index n, bool aligned, const float (&values)[lanes]) {
  constexpr int per_quad = 16 / static_cast<int>(sizeof(T));
  if (lanes % per_quad == 0 && aligned && i + lanes <= n) {
#pragma unroll
    for (int q = 0; q < lanes / per_quad; ++q) {
      Quad quad;
      if constexpr (std::is_same_v<T, float>) {
#pragma unroll
        for (int k = 0; k < 4; ++k) quad.word[k] = __float_as_uint(values[q * 4 + k]);
      } else {
#pragma unroll
        for (int k = 0; k < 4; ++k)
          quad.word[k] = static_cast<std::uint32_t>(from_float<T>(values[q * 8 + 2 * k]).bits) |
                         static_cast<std::uint32_t>(from_float<T>(values[q * 8 + 2 * k + 1]).bits) << 16;
      }
      store_quad(to + i + q * per_quad, quad);
    }
  } else {
#pragma unroll
    for (int k = 0; k < lanes; ++k)
      if (i + k < n) to[i + k] = from_float<T>(values[k]);
  }
}

}  // namespace stipple::cuda
