// The one header that kernel text includes: CUDA under nvcc, the executor of the tests under other compilers.
// Elements are stored as float or bf16; arithmetic is done in float.
#pragma once

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
__device__ __forceinline__ void store_quad(void* to, const Quad& quad) {
#if defined(__CUDACC__)
  *static_cast<uint4*>(to) = make_uint4(quad.word[0], quad.word[1], quad.word[2], quad.word[3]);
#else
  simulation::check_vector(to, sizeof(Quad));
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
/// to[i + k] = values[k] for the elements below n.
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

/// D = A B + D of one warp: A is 16 x 16 and B 16 x 8 of bf16, D 16 x 8 of float, in the fragments of
/// mma.sync.m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16").
__device__ __forceinline__ void multiply_add_tile(float (&d)[4], const std::uint32_t (&a)[4],
                                                  const std::uint32_t (&b)[2]) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  struct Fragments {
    std::uint32_t a[4], b[2];
  };
  struct Tile {
    float d[4];
  };
  Fragments const own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  unsigned const group = simulation::lane() / 4, pair = simulation::lane() % 4;
  auto const value = [](std::uint32_t word, unsigned upper) {
    return __uint_as_float(upper != 0 ? word & 0xffff0000u : word << 16);
  };
  Tile const sums = simulation::exchange(all_lanes, own, "mma.sync", [&](auto get) {
    Tile tile{};
    for (unsigned i = 0; i < 4; ++i) {
      unsigned const row = group + 8 * (i / 2), column = 2 * pair + i % 2;
      tile.d[i] = d[i];
      for (unsigned k = 0; k < 16; ++k) {
        Fragments const left = get(row % 8 * 4 + k % 8 / 2), right = get(column * 4 + k % 8 / 2);
        tile.d[i] += value(left.a[row / 8 + 2 * (k / 8)], k % 2) * value(right.b[k / 8], k % 2);
      }
    }
    return tile;
  });
  for (int i = 0; i < 4; ++i) d[i] = sums.d[i];
#endif
}

}  // namespace stipple::cuda
