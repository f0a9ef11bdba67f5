// What the kernels of attention in bf16 share: tiles of rows in shared memory, and the products of a warp with them.
// A block has four warps of 16 rows each; `dim` is the size of a head, rounded up to what there are kernels for.
#pragma once

#include <stipple/backend/attention_shape.hpp>

#include "elementwise.cuh"
#include "tensor_cores.cuh"

namespace stipple::cuda {

inline constexpr int attention_threads = 128, attention_rows = 64;
/// Rows of the other side that the backward pass takes at a time.
inline constexpr int attention_step = 32;

/// Rows of one operand in the memory of the GPU, see AttentionRows.
template <class T>
struct HeadRows {
  T* data;
  Index stride;

  /// Those of one sample and head, of `positions` rows a sample.
  __device__ __forceinline__ HeadRows of(const AttentionShape& s, Index positions, Index unit) const {
    Index const sample = quotient(unit, s.heads);
    return {data + sample * positions * stride + (unit - sample * s.heads) * s.dim, stride};
  }
};

/// Numbers from one row of a tile to the next: 8 more than it has, so that rows that are read together lie in different
/// banks.
template <int dim>
inline constexpr int tile_row = dim + 8;
/// Units of 16 bytes in a tile.
template <int dim, int rows>
inline constexpr int tile_quads = rows* tile_row<dim> / 8;

/// Begins to copy rows [first, first + rows) of `count` into a tile, with zeros behind the last row and channel.
template <int dim, int rows>
__device__ __forceinline__ void begin_tile(bf16* tile, HeadRows<const bf16> from, Index first, Index count,
                                           Index channels) {
  constexpr int packs = dim / 8;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < rows * packs; i += attention_threads) {
    int const row = i / packs, channel = i % packs * 8;
    bool const inside = first + row < count && channel < channels;
    begin_copy(tile + row * tile_row<dim> + channel, from.data + (inside ? (first + row) * from.stride + channel : 0),
               inside);
  }
}

/// 16 rows from `row` and 16 columns from `column` of a tile, as the left operand of a product.
template <int dim>
__device__ __forceinline__ void load_left(const bf16* tile, int row, int column, std::uint32_t (&a)[4]) {
  int const lane = static_cast<int>(threadIdx.x) % warp_size;
  load_matrices<false>(tile + (row + lane % 16) * tile_row<dim> + column + lane / 16 * 8, a);
}
template <int dim>
__device__ __forceinline__ void load_left(const bf16* tile, int row, std::uint32_t (&a)[dim / 16][4]) {
#pragma unroll
  for (int k = 0; k < dim / 16; ++k) load_left<dim>(tile, row, 16 * k, a[k]);
}

/// d (16, 8 tiles) += left right^T, where `left(k)` gives columns 16 k to 16 k + 15 of the left operand and `right` is
/// a tile of 8 tiles rows.
template <int dim, int tiles, class Left>
__device__ __forceinline__ void multiply_by_rows(float (&d)[tiles][4], const Left& left, const bf16* right) {
  int const lane = static_cast<int>(threadIdx.x) % warp_size;
  const bf16* const from = right + (lane % 8 + lane / 16 * 8) * tile_row<dim> + lane / 8 % 2 * 8;
#pragma unroll
  for (int k = 0; k < dim / 16; ++k) {
    std::uint32_t a[4];
    left(k, a);
#pragma unroll
    for (int n = 0; n < tiles / 2; ++n) {
      std::uint32_t b[4];
      load_matrices<false>(from + 16 * n * tile_row<dim> + 16 * k, b);
      std::uint32_t const first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
      multiply_add_tile(d[2 * n], a, first);
      multiply_add_tile(d[2 * n + 1], a, second);
    }
  }
}

/// d (16, dim) += p right, where p (16, 8 tiles) is rounded to bf16 and `right` is a tile of 8 tiles rows.
template <int dim, int tiles>
__device__ __forceinline__ void multiply_by_columns(float (&d)[dim / 8][4], const float (&p)[tiles][4],
                                                    const bf16* right) {
  int const lane = static_cast<int>(threadIdx.x) % warp_size;
  const bf16* const from = right + lane % 16 * tile_row<dim> + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < tiles / 2; ++k) {
    std::uint32_t const a[4] = {pack_pair(p[2 * k][0], p[2 * k][1]), pack_pair(p[2 * k][2], p[2 * k][3]),
                                pack_pair(p[2 * k + 1][0], p[2 * k + 1][1]),
                                pack_pair(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
    for (int n = 0; n < dim / 16; ++n) {
      std::uint32_t b[4];
      load_matrices<true>(from + 16 * k * tile_row<dim> + 16 * n, b);
      std::uint32_t const first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
      multiply_add_tile(d[2 * n], a, first);
      multiply_add_tile(d[2 * n + 1], a, second);
    }
  }
}

/// Writes 16 rows of a warp, of which `rows` exist, by way of its 16 rows of shared memory at `room`. `scale` is that
/// of the thread's lower and upper row.
template <int dim>
__device__ __forceinline__ void store_rows(const float (&d)[dim / 8][4], const float (&scale)[2], bf16* room,
                                           HeadRows<bf16> to, Index first, Index count, Index channels) {
  constexpr int packs = dim / 8;
  int const lane = static_cast<int>(threadIdx.x) % warp_size;
  bf16* const own = room + lane / 4 * tile_row<dim> + lane % 4 * 2;
#pragma unroll
  for (int n = 0; n < packs; ++n) {
    store_pair(own + 8 * n, pack_pair(d[n][0] * scale[0], d[n][1] * scale[0]));
    store_pair(own + 8 * tile_row<dim> + 8 * n, pack_pair(d[n][2] * scale[1], d[n][3] * scale[1]));
  }
  __syncwarp();
#pragma unroll 4
  for (int i = lane; i < 16 * packs; i += warp_size) {
    int const row = i / packs, channel = i % packs * 8;
    if (first + row < count && channel < channels)
      store_quad(to.data + (first + row) * to.stride + channel, load_quad(room + row * tile_row<dim> + channel));
  }
}

}  // namespace stipple::cuda
