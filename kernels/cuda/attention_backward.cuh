// The backward pass of attention in bf16, FlashAttention-2 (Dao 2023, algorithm 2) in two kernels, so that every sum
// has one order: one makes the gradients of keys and values, one those of queries. Both make the probabilities again.
#pragma once

#include "attention.cuh"

namespace stipple::cuda {

/// What both read.
struct AttentionBackward {
  HeadRows<const bf16> q, k, v, dy;
  const float* statistics;
  const float* dot;  ///< dy . y of each query, (samples, heads, queries)
};

// dot (samples, heads, queries) = dy . y, a warp each. Neighbouring warps take the heads of a query.
template <class T>
__global__ void __launch_bounds__(256)
    attention_dot_kernel(const T* dy, const T* y, Index stride, float* dot, AttentionShape s, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  Index const own = (Index{blockIdx.x} * blockDim.x + threadIdx.x) / warp_size, all = s.samples * s.queries * s.heads;
  Index const item = own < all ? own : all - 1, row = quotient(item, s.heads), head = item - row * s.heads;
  Index const sample = quotient(row, s.queries), at = row * stride + head * s.dim;
  float total = 0.0f;
  for (Index c = threadIdx.x % warp_size * lanes; c < s.dim; c += warp_size * lanes) {
    float a[lanes], b[lanes];
    load_lanes(dy + at, c, s.dim, aligned, a);
    load_lanes(y + at, c, s.dim, aligned, b);
#pragma unroll
    for (int k = 0; k < lanes; ++k) total = fmaf(a[k], b[k], total);
  }
#pragma unroll
  for (int distance = warp_size / 2; distance > 0; distance /= 2) total += __shfl_xor_sync(all_lanes, total, distance);
  if (own < all && threadIdx.x % warp_size == 0)
    dot[(sample * s.heads + head) * s.queries + (row - sample * s.queries)] = total;
}

/// Units of 16 bytes of shared memory, and then numbers, that `attention_keys_backward_kernel` needs.
template <int dim>
inline constexpr int keys_backward_quads = 2 * tile_quads<dim, attention_rows> + 4 * tile_quads<dim, attention_step>;
inline constexpr int keys_backward_numbers = 2 * 3 * attention_step;

// A block takes 64 keys of one head and goes over the queries by tiles of 32, with logits transposed: rows of p and ds
// are keys.
template <int dim>
__global__ void __launch_bounds__(attention_threads)
    attention_keys_backward_kernel(AttentionBackward g, HeadRows<bf16> dk, HeadRows<bf16> dv, AttentionShape s) {
  constexpr int rows = attention_rows, step = attention_step, tiles = step / 8, row = tile_row<dim>;
  auto* const key_tile = reinterpret_cast<bf16*>(dynamic_shared<Quad>());
  bf16* const value_tile = key_tile + rows * row;
  bf16* const query_tiles = value_tile + rows * row;                                                  // two
  bf16* const gradient_tiles = query_tiles + 2 * step * row;                                          // two
  auto* const numbers = reinterpret_cast<float*>(dynamic_shared<Quad>() + keys_backward_quads<dim>);  // two
  Index const blocks = quotient(s.keys + rows - 1, rows), unit = quotient(blockIdx.x, blocks);
  Index const first = (blockIdx.x - unit * blocks) * rows;
  int const warp = static_cast<int>(threadIdx.x) / warp_size, lane = static_cast<int>(threadIdx.x) % warp_size;
  auto const queries = g.q.of(s, s.queries, unit), gradients = g.dy.of(s, s.queries, unit);
  auto const scale = static_cast<float>(s.scale);
  // Queries from `query` on, their gradients, and largest logit, 1 / total and dot; no probability behind the last.
  auto const fetch = [&](Index query, int stage) {
    begin_tile<dim, step>(query_tiles + stage * step * row, queries, query, s.queries, s.dim);
    begin_tile<dim, step>(gradient_tiles + stage * step * row, gradients, query, s.queries, s.dim);
    end_copies();
    Index const kind = warp, at = query + lane;
    if (kind >= 3) return;
    float value = 0.0f;
    if (at < s.queries)
      value = kind < 2 ? g.statistics[(unit * 2 + kind) * s.queries + at] : g.dot[unit * s.queries + at];
    numbers[(stage * 3 + kind) * step + lane] = value;
  };

  Index const start = s.causal ? quotient(first, step) * step : 0;
  begin_tile<dim, rows>(key_tile, g.k.of(s, s.keys, unit), first, s.keys, s.dim);
  begin_tile<dim, rows>(value_tile, g.v.of(s, s.keys, unit), first, s.keys, s.dim);
  fetch(start, 0);
  float of_key[dim / 8][4] = {}, of_value[dim / 8][4] = {};
  int stage = 0;
  for (Index query = start; query < s.queries; query += step, stage ^= 1) {
    wait_for_copies<0>();
    __syncthreads();  // the tiles are there, and the others have been used
    if (query + step < s.queries) fetch(query + step, stage ^ 1);
    const bf16* const query_tile = query_tiles + stage * step * row;
    const bf16* const gradient_tile = gradient_tiles + stage * step * row;
    float p[tiles][4] = {}, ds[tiles][4] = {};
    multiply_by_rows<dim>(
        p, [&](int i, std::uint32_t(&a)[4]) { load_left<dim>(key_tile, 16 * warp, 16 * i, a); }, query_tile);
    multiply_by_rows<dim>(
        ds, [&](int i, std::uint32_t(&a)[4]) { load_left<dim>(value_tile, 16 * warp, 16 * i, a); }, gradient_tile);
    const float* const most = numbers + stage * 3 * step;
    Index const blind = s.causal ? first + 16 * warp + lane / 4 - query : -step;  // queries that miss the lower key
#pragma unroll
    for (int n = 0; n < tiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        int const column = 8 * n + lane % 4 * 2 + i % 2;
        float const x = fast_exp(rounded_product(p[n][i], scale) - most[column]) * most[step + column];
        p[n][i] = column < blind + i / 2 * 8 ? 0.0f : x;
        ds[n][i] = p[n][i] * (ds[n][i] - most[2 * step + column]);
      }
    }
    multiply_by_columns<dim>(of_value, p, gradient_tile);
    multiply_by_columns<dim>(of_key, ds, query_tile);
  }
  wait_for_copies<0>();
  __syncthreads();
  float const one[2] = {1.0f, 1.0f}, scales[2] = {scale, scale};
  store_rows<dim>(of_key, scales, key_tile + 16 * warp * row, dk.of(s, s.keys, unit), first + 16 * warp, s.keys, s.dim);
  store_rows<dim>(of_value, one, value_tile + 16 * warp * row, dv.of(s, s.keys, unit), first + 16 * warp, s.keys,
                  s.dim);
}

// A block takes 64 queries of one head and goes over the keys by tiles of 32.
template <int dim>
__global__ void __launch_bounds__(attention_threads)
    attention_queries_backward_kernel(AttentionBackward g, HeadRows<bf16> dq, AttentionShape s) {
  constexpr int rows = attention_rows, step = attention_step, tiles = step / 8, row = tile_row<dim>;
  STIPPLE_SHARED(Quad, key_room, (tile_quads<dim, rows>));
  STIPPLE_SHARED(Quad, value_room, (tile_quads<dim, rows>));
  auto* const key_tiles = reinterpret_cast<bf16*>(key_room);      // two of 32 rows
  auto* const value_tiles = reinterpret_cast<bf16*>(value_room);  // two
  Index const blocks = quotient(s.queries + rows - 1, rows), unit = quotient(blockIdx.x, blocks);
  Index const first = (blockIdx.x - unit * blocks) * rows;
  int const warp = static_cast<int>(threadIdx.x) / warp_size, lane = static_cast<int>(threadIdx.x) % warp_size;
  auto const keys = g.k.of(s, s.keys, unit), values = g.v.of(s, s.keys, unit);
  auto const scale = static_cast<float>(s.scale);
  auto const fetch = [&](Index key, int stage) {
    begin_tile<dim, step>(key_tiles + stage * step * row, keys, key, s.keys, s.dim);
    begin_tile<dim, step>(value_tiles + stage * step * row, values, key, s.keys, s.dim);
    end_copies();
  };

  begin_tile<dim, rows>(key_tiles, g.q.of(s, s.queries, unit), first, s.queries, s.dim);  // for now
  begin_tile<dim, rows>(value_tiles, g.dy.of(s, s.queries, unit), first, s.queries, s.dim);
  end_copies();
  wait_for_copies<0>();
  __syncthreads();
  std::uint32_t query[dim / 16][4], gradient[dim / 16][4];
  load_left<dim>(key_tiles, 16 * warp, query);
  load_left<dim>(value_tiles, 16 * warp, gradient);
  __syncthreads();
  fetch(0, 0);
  Index own[2];
  float most[2], inverse[2], dot[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    own[r] = first + 16 * warp + lane / 4 + 8 * r;
    bool const inside = own[r] < s.queries;
    most[r] = inside ? g.statistics[unit * 2 * s.queries + own[r]] : 0.0f;
    inverse[r] = inside ? g.statistics[(unit * 2 + 1) * s.queries + own[r]] : 0.0f;
    dot[r] = inside ? g.dot[unit * s.queries + own[r]] : 0.0f;
  }
  float of_query[dim / 8][4] = {};
  Index const end = s.causal && first + rows < s.keys ? first + rows : s.keys;
  int stage = 0;
  for (Index key = 0; key < end; key += step, stage ^= 1) {
    wait_for_copies<0>();
    __syncthreads();  // the tiles are there, and the others have been used
    if (key + step < end) fetch(key + step, stage ^ 1);
    const bf16* const key_tile = key_tiles + stage * step * row;
    float p[tiles][4] = {}, ds[tiles][4] = {};
    multiply_by_rows<dim>(
        p,
        [&](int i, std::uint32_t(&a)[4]) {
#pragma unroll
          for (int w = 0; w < 4; ++w) a[w] = query[i][w];
        },
        key_tile);
    multiply_by_rows<dim>(
        ds,
        [&](int i, std::uint32_t(&a)[4]) {
#pragma unroll
          for (int w = 0; w < 4; ++w) a[w] = gradient[i][w];
        },
        value_tiles + stage * step * row);
    int const visible[2] = {visible_keys(key, own[0], s), visible_keys(key, own[1], s)};
#pragma unroll
    for (int n = 0; n < tiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float const x = fast_exp(rounded_product(p[n][i], scale) - most[i / 2]) * inverse[i / 2];
        float const shown = 8 * n + lane % 4 * 2 + i % 2 < visible[i / 2] ? x : 0.0f;
        ds[n][i] = shown * (ds[n][i] - dot[i / 2]);
      }
    }
    multiply_by_columns<dim>(of_query, ds, key_tile);
  }
  __syncthreads();
  float const scales[2] = {scale, scale};
  store_rows<dim>(of_query, scales, key_tiles + 16 * warp * row, dq.of(s, s.queries, unit), first + 16 * warp,
                  s.queries, s.dim);
}

}  // namespace stipple::cuda
