// The backward pass of attention_float.cuh: one kernel makes the gradients of keys and values, one those of queries.
#pragma once

#include "attention_float.cuh"

namespace stipple::cuda {

/// What both read.
template <class T>
struct FloatAttentionBackward {
  HeadRows<const T> q, k, v, dy;
  const float *statistics, *dot;
  bool aligned;
};

template <class T>
struct FloatAttentionHead {
  TileRows<T> q, k, v, dy;
  const float *most, *inverse, *dot;

  __device__ __forceinline__ FloatAttentionHead(const FloatAttentionBackward<T>& g, const AttentionShape& s, Index unit)
      : q(tile_rows(g.q, s, s.queries, unit, g.aligned)),
        k(tile_rows(g.k, s, s.keys, unit, g.aligned)),
        v(tile_rows(g.v, s, s.keys, unit, g.aligned)),
        dy(tile_rows(g.dy, s, s.queries, unit, g.aligned)),
        most(g.statistics + unit * 2 * s.queries),
        inverse(most + s.queries),
        dot(g.dot + unit * s.queries) {}

  /// Probabilities, and gradients of logits, of queries from `query` on (rows) and keys from `key` on (columns).
  __device__ __forceinline__ void gradients(Index query, Index key, const AttentionShape& s, float* room, FloatTile& p,
                                            FloatTile& ds) const {
    multiply_heads(p, q, query, k, key, room);
    multiply_heads(ds, dy, query, v, key, room);
    auto const scale = static_cast<float>(s.scale);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      Index const row = query + 4 * AttentionTiles::row() + i, from = row < s.queries ? row : s.queries - 1;
      float const largest = most[from], factor = inverse[from], product = dot[from];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        bool const shown = row < s.queries && sees(row, key + 4 * AttentionTiles::column() + j, s);
        p[i][j] = shown ? expf(rounded_product(p[i][j], scale) - largest) * factor : 0.0f;
        ds[i][j] = p[i][j] * (ds[i][j] - product);
      }
    }
  }
};

template <class T>
__global__ void __launch_bounds__(AttentionTiles::threads, 1)
    float_attention_keys_backward_kernel(FloatAttentionBackward<T> g, HeadRows<T> dk, HeadRows<T> dv,
                                         AttentionShape s) {
  using Tiles = AttentionTiles;
  constexpr int side = attention_rows;
  STIPPLE_SHARED(float, room, float_attention_room);
  float* const p_tile = room + Tiles::room;
  FloatAttentionBlock const block(s.keys, s.dim);
  FloatAttentionHead<T> const head(g, s, block.unit);
  FloatTile of_key = {}, of_value = {};
  for (Index query = s.causal ? block.first : 0; query < s.queries; query += side) {
    FloatTile p, ds;
    head.gradients(query, block.first, s, room, p, ds);
    Tiles::store<false>(p, p_tile);
    Tiles::fill<false>(room, head.dy, query, block.channel);
    __syncthreads();
    Tiles::multiply(of_value, p_tile, room);
    __syncthreads();
    Tiles::store<false>(ds, p_tile);
    Tiles::fill<false>(room, head.q, query, block.channel);
    __syncthreads();
    Tiles::multiply(of_key, p_tile, room);
    __syncthreads();
  }
  auto const scale = static_cast<float>(s.scale);
  float const one[4] = {1.0f, 1.0f, 1.0f, 1.0f}, scales[4] = {scale, scale, scale, scale};
  store_result(of_key, scales, dk.of(s, s.keys, block.unit), s.keys, s.dim, block, g.aligned);
  store_result(of_value, one, dv.of(s, s.keys, block.unit), s.keys, s.dim, block, g.aligned);
}

template <class T>
__global__ void __launch_bounds__(AttentionTiles::threads, 1)
    float_attention_queries_backward_kernel(FloatAttentionBackward<T> g, HeadRows<T> dq, AttentionShape s) {
  using Tiles = AttentionTiles;
  constexpr int side = attention_rows;
  STIPPLE_SHARED(float, room, float_attention_room);
  float* const ds_tile = room + Tiles::room;
  FloatAttentionBlock const block(s.queries, s.dim);
  FloatAttentionHead<T> const head(g, s, block.unit);
  Index const end = s.causal && block.first + side < s.keys ? block.first + side : s.keys;
  FloatTile of_query = {};
  for (Index key = 0; key < end; key += side) {
    FloatTile p, ds;
    head.gradients(block.first, key, s, room, p, ds);
    Tiles::store<true>(ds, ds_tile);
    Tiles::fill<false>(room, head.k, key, block.channel);
    __syncthreads();
    Tiles::multiply(of_query, ds_tile, room);
    __syncthreads();
  }
  auto const scale = static_cast<float>(s.scale);
  float const scales[4] = {scale, scale, scale, scale};
  store_result(of_query, scales, dq.of(s, s.queries, block.unit), s.queries, s.dim, block, g.aligned);
}

}  // namespace stipple::cuda
