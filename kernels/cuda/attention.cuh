#pragma once

#include <cmath>

#include "attention_tiles.cuh"

namespace stipple::cuda {

// Columns from `first` on that a row sees.
__device__ __forceinline__ int visible_keys(Index first, Index row, const AttentionShape& s) {
  Index const end = s.causal && row + 1 < s.keys ? row + 1 : s.keys, left = end - first;
  return static_cast<int>(left < attention_rows ? left : attention_rows);
}

// One step of the online softmax: logits (16, 8 tiles) become exp(logit - largest so far); `total`, of this lane's
// columns, and the result so far are brought to the new largest. Element i of a tile is of row i / 2 of the lane's two.
template <int tiles, int width>
__device__ __forceinline__ void softmax_step(float (&logits)[tiles][4], float (&most)[2], float (&total)[2],
                                             float (&out)[width][4]) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float largest = most[r];
#pragma unroll
    for (int n = 0; n < tiles; ++n) largest = fmaxf(largest, fmaxf(logits[n][2 * r], logits[n][2 * r + 1]));
    largest = fmaxf(largest, __shfl_xor_sync(all_lanes, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(all_lanes, largest, 2));
    float const decay = fast_exp(most[r] - largest);
    most[r] = largest;
    total[r] *= decay;
#pragma unroll
    for (int n = 0; n < tiles; ++n) {
#pragma unroll
      for (int i = 2 * r; i < 2 * r + 2; ++i) {
        logits[n][i] = fast_exp(logits[n][i] - largest);
        total[r] += logits[n][i];
      }
    }
#pragma unroll
    for (int n = 0; n < width; ++n) {
      out[n][2 * r] *= decay;
      out[n][2 * r + 1] *= decay;
    }
  }
}

// FlashAttention-2 (Dao 2023, algorithm 1): a block takes 64 queries of one head and goes over the keys by tiles of 64.
// Values are copied while keys are multiplied, and the next keys while values are.
template <int dim>
__global__ void __launch_bounds__(attention_threads)
    attention_kernel(HeadRows<const bf16> q, HeadRows<const bf16> k, HeadRows<const bf16> v, HeadRows<bf16> y,
                     float* statistics, AttentionShape s) {
  constexpr int rows = attention_rows, tiles = rows / 8;
  STIPPLE_SHARED(Quad, key_room, (tile_quads<dim, rows>));
  STIPPLE_SHARED(Quad, value_room, (tile_quads<dim, rows>));
  auto* const key_tile = reinterpret_cast<bf16*>(key_room);
  auto* const value_tile = reinterpret_cast<bf16*>(value_room);
  Index const blocks = quotient(s.queries + rows - 1, rows), unit = quotient(blockIdx.x, blocks);
  Index const first = (blockIdx.x - unit * blocks) * rows;
  int const warp = static_cast<int>(threadIdx.x) / warp_size, lane = static_cast<int>(threadIdx.x) % warp_size;
  auto const keys = k.of(s, s.keys, unit), values = v.of(s, s.keys, unit);
  auto const scale = static_cast<float>(s.scale);

  begin_tile<dim, rows>(value_tile, q.of(s, s.queries, unit), first, s.queries, s.dim);  // queries, for now
  begin_tile<dim, rows>(key_tile, keys, 0, s.keys, s.dim);
  end_copies();
  wait_for_copies<0>();
  __syncthreads();
  std::uint32_t left[dim / 16][4];
  load_left<dim>(value_tile, 16 * warp, left);

  float out[dim / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, total[2] = {};
  Index const own[2] = {first + 16 * warp + lane / 4, first + 16 * warp + lane / 4 + 8};
  Index const end = s.causal && first + rows < s.keys ? first + rows : s.keys;
  for (Index key = 0; key < end; key += rows) {
    wait_for_copies<0>();
    __syncthreads();  // the keys are there, and what was in the other tile has been used
    begin_tile<dim, rows>(value_tile, values, key, s.keys, s.dim);
    end_copies();
    float p[tiles][4] = {};
    multiply_by_rows<dim>(
        p,
        [&](int i, std::uint32_t(&a)[4]) {
#pragma unroll
          for (int w = 0; w < 4; ++w) a[w] = left[i][w];
        },
        key_tile);
    int const visible[2] = {visible_keys(key, own[0], s), visible_keys(key, own[1], s)};
#pragma unroll
    for (int n = 0; n < tiles; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        p[n][i] = 8 * n + lane % 4 * 2 + i % 2 < visible[i / 2] ? rounded_product(p[n][i], scale) : -INFINITY;
    softmax_step(p, most, total, out);
    wait_for_copies<0>();
    __syncthreads();  // the values are there, and the keys have been used
    if (key + rows < end) begin_tile<dim, rows>(key_tile, keys, key + rows, s.keys, s.dim);
    end_copies();
    multiply_by_columns<dim>(out, p, value_tile);
  }

  float inverse[2];
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    total[r] += __shfl_xor_sync(all_lanes, total[r], 1);
    total[r] += __shfl_xor_sync(all_lanes, total[r], 2);
    inverse[r] = 1.0f / total[r];
    if (lane % 4 == 0 && own[r] < s.queries) {
      statistics[unit * 2 * s.queries + own[r]] = most[r];
      statistics[(unit * 2 + 1) * s.queries + own[r]] = inverse[r];
    }
  }
  store_rows<dim>(out, inverse, key_tile + 16 * warp * tile_row<dim>, y.of(s, s.queries, unit), first + 16 * warp,
                  s.queries, s.dim);
}

}  // namespace stipple::cuda
