// Tensor cores, and copies from device to shared memory that go on beside a kernel's work.
#pragma once

#include <cmath>
#include <cstring>

#include "device.cuh"

namespace stipple::cuda {

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

/// Two numbers rounded to bf16, the first in the lower half.
__device__ __forceinline__ std::uint32_t pack_pair(float lower, float upper) {
#if defined(__CUDACC__)
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(upper), "f"(lower));
  return pair;
#else
  return static_cast<std::uint32_t>(bf16(lower).bits) | static_cast<std::uint32_t>(bf16(upper).bits) << 16;
#endif
}

/// Stores such a pair at an even place.
__device__ __forceinline__ void store_pair(bf16* to, std::uint32_t pair) {
#if defined(__CUDACC__)
  *reinterpret_cast<std::uint32_t*>(to) = pair;
#else
  simulation::check_vector(to, sizeof pair);
  std::memcpy(static_cast<void*>(to), &pair, sizeof pair);
#endif
}

/// Four 8 x 8 matrices of bf16 from shared memory. Lane 8 i + r names row r of matrix i, 16 bytes; word i of a lane
/// gets row lane / 4, columns 2 (lane % 4) and the next, of matrix i, or of its transpose.
template <bool transposed>
__device__ __forceinline__ void load_matrices(const bf16* row, std::uint32_t (&words)[4]) {
#if defined(__CUDACC__)
  auto const address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
#else
  simulation::check_vector(row, sizeof(Quad));
  Quad const loaded = simulation::exchange(all_lanes, row, "ldmatrix", [](auto get) {
    unsigned const group = simulation::lane() / 4, pair = simulation::lane() % 4;
    Quad quad{};
    for (unsigned i = 0; i < 4; ++i) {
      bf16 const lower = transposed ? get(8 * i + 2 * pair)[group] : get(8 * i + group)[2 * pair];
      bf16 const upper = transposed ? get(8 * i + 2 * pair + 1)[group] : get(8 * i + group)[2 * pair + 1];
      quad.word[i] = static_cast<std::uint32_t>(lower.bits) | static_cast<std::uint32_t>(upper.bits) << 16;
    }
    return quad;
  });
  for (int i = 0; i < 4; ++i) words[i] = loaded.word[i];
#endif
}

/// Begins to copy 16 bytes to shared memory, or zeros where `from` is not `inside`. They are there for the thread after
/// `wait_for_copies`, for others after a barrier behind it.
__device__ __forceinline__ void begin_copy(void* shared, const void* from, bool inside) {
#if defined(__CUDACC__)
  auto const address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  int const bytes = inside ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
#else
  simulation::copies().begin(shared, inside ? from : nullptr);
#endif
}
/// Ends a group of copies.
__device__ __forceinline__ void end_copies() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  simulation::copies().end_group();
#endif
}
/// Waits for all groups of this thread's copies but the last `pending`.
template <int pending>
__device__ __forceinline__ void wait_for_copies() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#else
  simulation::copies().wait(pending);
#endif
}

/// e^x to the precision of bf16's uses; of the hardware's 2^x.
__device__ __forceinline__ float fast_exp(float x) {
#if defined(__CUDACC__)
  return __expf(x);
#else
  return std::exp(x);
#endif
}

}  // namespace stipple::cuda
