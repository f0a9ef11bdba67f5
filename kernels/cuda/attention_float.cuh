// Attention multiplied in float, for float and for heads that the tensor cores do not take. A block makes 64 rows by 64
// channels of a result; tiles of 64 x 64 logits are made again for every 64 channels, so that a head may have any size.
#pragma once

#include <cmath>

#include "attention_tiles.cuh"
#include "float_tiles.cuh"

namespace stipple::cuda {

using AttentionTiles = FloatTiles<attention_rows>;
/// Channels whose products are summed at a time.
inline constexpr int attention_depth = 32;
/// Numbers of shared memory: operands, and a tile of probabilities.
inline constexpr int float_attention_room = 2 * AttentionTiles::room;

/// Rows of an operand of one head.
template <class T>
__device__ __forceinline__ TileRows<T> tile_rows(const HeadRows<const T>& rows, const AttentionShape& s,
                                                 Index positions, Index unit, bool aligned) {
  auto const of_head = rows.of(s, positions, unit);
  return {of_head.data, of_head.stride, positions, s.dim, aligned};
}

/// d[i][j] = a[first_a + i] . b[first_b + j]. The threads of the block must be done with `room`.
template <class T>
__device__ __forceinline__ void multiply_heads(FloatTile& d, const TileRows<T>& a, Index first_a, const TileRows<T>& b,
                                               Index first_b, float* room) {
  constexpr int rows = attention_rows, depth = attention_depth;
  float* const right = room + depth * AttentionTiles::pitch;
  clear(d);
  for (Index channel = 0; channel < a.channels; channel += depth) {
    AttentionTiles::fill<true, rows, depth>(room, a, first_a, channel);
    AttentionTiles::fill<true, rows, depth>(right, b, first_b, channel);
    __syncthreads();
    AttentionTiles::multiply<depth>(d, room, right);
    __syncthreads();
  }
}

/// What a block does: which head, which rows, which channels of the result.
struct FloatAttentionBlock {
  Index unit, first, channel;

  __device__ __forceinline__ FloatAttentionBlock(Index rows, Index channels) {
    constexpr int side = attention_rows;
    Index const parts = quotient(channels + side - 1, side), blocks = quotient(rows + side - 1, side);
    Index const item = quotient(blockIdx.x, parts);
    unit = quotient(item, blocks);
    first = (item - unit * blocks) * side;
    channel = (blockIdx.x - item * parts) * side;
  }
};

/// Writes this thread's part of 64 rows by 64 channels.
template <class T>
__device__ __forceinline__ void store_result(const FloatTile& d, const float (&scale)[4], HeadRows<T> to, Index count,
                                             Index channels, const FloatAttentionBlock& block, bool aligned) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    Index const row = block.first + 4 * AttentionTiles::row() + i;
    if (row >= count) continue;
    float v[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) v[j] = d[i][j] * scale[i];
    store_lanes(to.data + row * to.stride, block.channel + 4 * AttentionTiles::column(), channels, aligned, v);
  }
}

/// True if query `row` sees key `column`.
__device__ __forceinline__ bool sees(Index row, Index column, const AttentionShape& s) {
  return column < s.keys && (!s.causal || column <= row);
}

template <class T>
__global__ void __launch_bounds__(AttentionTiles::threads, 1)
    float_attention_kernel(HeadRows<const T> q, HeadRows<const T> k, HeadRows<const T> v, HeadRows<T> y,
                           float* statistics, AttentionShape s, bool aligned) {
  using Tiles = AttentionTiles;
  constexpr int side = attention_rows;
  STIPPLE_SHARED(float, room, float_attention_room);
  float* const p_tile = room + Tiles::room;
  FloatAttentionBlock const block(s.queries, s.dim);
  auto const queries = tile_rows(q, s, s.queries, block.unit, aligned);
  auto const keys = tile_rows(k, s, s.keys, block.unit, aligned);
  auto const values = tile_rows(v, s, s.keys, block.unit, aligned);
  auto const scale = static_cast<float>(s.scale);
  Index const own = block.first + 4 * Tiles::row();
  Index const end = s.causal && block.first + side < s.keys ? block.first + side : s.keys;
  FloatTile out = {};
  float most[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, total[4] = {};
  for (Index key = 0; key < end; key += side) {
    FloatTile p;
    multiply_heads(p, queries, block.first, keys, key, room);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float largest = most[i];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        p[i][j] = sees(own + i, key + 4 * Tiles::column() + j, s) ? rounded_product(p[i][j], scale) : -INFINITY;
        largest = larger(largest, p[i][j]);
      }
      largest = Tiles::row_max(largest);
      float const decay = expf(most[i] - largest);
      most[i] = largest;
      total[i] *= decay;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        p[i][j] = expf(p[i][j] - largest);
        total[i] += p[i][j];
        out[i][j] *= decay;
      }
    }
    Tiles::store<true>(p, p_tile);
    Tiles::fill<false>(room, values, key, block.channel);
    __syncthreads();
    Tiles::multiply(out, p_tile, room);
    __syncthreads();
  }
  float inverse[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    inverse[i] = 1.0f / Tiles::row_sum(total[i]);
    if (block.channel > 0 || Tiles::column() > 0 || own + i >= s.queries) continue;
    statistics[block.unit * 2 * s.queries + own + i] = most[i];
    statistics[(block.unit * 2 + 1) * s.queries + own + i] = inverse[i];
  }
  store_result(out, inverse, y.of(s, s.queries, block.unit), s.queries, s.dim, block, aligned);
}

}  // namespace stipple::cuda
