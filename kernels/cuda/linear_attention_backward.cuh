#pragma once

#include "linear_attention.cuh"

namespace stipple::cuda {

// dot (units, dim) = sum over e of context[d][e] dcontext[d][e], a warp each.
__global__ void __launch_bounds__(256)
    context_dot_kernel(const float* context, const float* dcontext, float* dot, Index rows, Index dim) {
  Index const own = (Index{blockIdx.x} * blockDim.x + threadIdx.x) / warp_size, row = own < rows ? own : rows - 1;
  float total = 0.0f;
  for (Index e = threadIdx.x % warp_size; e < dim; e += warp_size)
    total = fmaf(context[row * dim + e], dcontext[row * dim + e], total);
  total = warp_sum(total);
  if (own < rows && threadIdx.x % warp_size == 0) dot[row] = total;
}

// With u = scale softmax(q) and du[l][d] = sum over e of dy[l][e] context[d][e]: dq = u (du - u . du / scale). A block
// makes all channels of its positions: once for u . du, and once more for dq where one tile does not hold them.
template <class T, int side>
__global__ void __launch_bounds__(FloatTiles<side>::threads, 1)
    linear_queries_backward_kernel(const T* qkv, const T* dy, const float* statistics, const float* context, T* dqkv,
                                   LinearAttentionShape s, bool aligned) {
  using Tiles = FloatTiles<side>;
  STIPPLE_SHARED(float, left, Tiles::room);
  STIPPLE_SHARED(float, right, Tiles::room);
  STIPPLE_SHARED(float, numbers, 2 * side);
  LinearBlock const block(tiles_of(s.positions, side), 1, 1, side);
  LinearHead<T> const head(qkv, statistics, s, block.unit, aligned);
  TileRows<T> const gradients{dy + head.y_offset, s.heads * s.dim, s.positions, s.dim, aligned};
  TileRows<float> const of_context{context + block.unit * s.dim * s.dim, s.dim, s.dim, s.dim, s.dim % 4 == 0};
  Index const first = block.part * side;
  softmax_rows<side>(head.q, first, numbers, numbers + side);
  __syncthreads();
  auto const u = [&](int i, Index channel) {
    int const row = 4 * Tiles::row() + i;
    if (first + row >= s.positions || channel >= s.dim) return 0.0f;
    return expf(to_float(head.q.data[(first + row) * head.q.stride + channel]) - numbers[row]) * numbers[side + row];
  };
  float const over_scale = sqrtf(static_cast<float>(s.dim));
  float dot[4] = {};
  FloatTile du;
  for (int pass = 0; pass < 2; ++pass) {
    for (Index channel = 0; channel < s.dim; channel += side) {
      Index const own = channel + 4 * Tiles::column();
      if (pass == 0 || s.dim > side) {
        clear(du);
        for (Index e = 0; e < s.dim; e += side) {
          Tiles::template fill<true>(left, gradients, first, e);
          Tiles::template fill<true>(right, of_context, channel, e);
          __syncthreads();
          Tiles::template multiply<side>(du, left, right);
          __syncthreads();
        }
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (pass == 0) {
#pragma unroll
          for (int j = 0; j < 4; ++j) dot[i] = fmaf(u(i, own + j), du[i][j], dot[i]);
        } else {
#pragma unroll
          for (int j = 0; j < 4; ++j) du[i][j] = u(i, own + j) * (du[i][j] - dot[i]);
        }
      }
      if (pass == 1)
        write_tile<side>(du, dqkv + head.offset, head.q.stride, first, s.positions, channel, s.dim, aligned);
    }
    if (pass == 0) {
#pragma unroll
      for (int i = 0; i < 4; ++i) dot[i] = Tiles::row_sum(dot[i]) * over_scale;
    }
  }
}

// With s = softmax(k) over the positions and ds[l][d] = sum over e of v[l][e] dcontext[d][e]: dk = s (ds - dot[d]) and
// dv[l][e] = sum over d of s[l][d] dcontext[d][e]. A block makes one tile of channels of both.
template <class T, int side>
__global__ void __launch_bounds__(FloatTiles<side>::threads, 1)
    linear_keys_backward_kernel(const T* qkv, const float* statistics, const float* dcontext, const float* dot, T* dqkv,
                                LinearAttentionShape s, bool aligned) {
  using Tiles = FloatTiles<side>;
  STIPPLE_SHARED(float, left, Tiles::room);
  STIPPLE_SHARED(float, right, Tiles::room);
  LinearBlock const block(tiles_of(s.positions, side), 1, tiles_of(s.dim, side), side);
  LinearHead<T> const head(qkv, statistics, s, block.unit, aligned);
  TileRows<float> const of_context{dcontext + block.unit * s.dim * s.dim, s.dim, s.dim, s.dim, s.dim % 4 == 0};
  Index const first = block.part * side, channels = s.heads * s.dim;
  FloatTile d = {};
  for (Index e = 0; e < s.dim; e += side) {
    Tiles::template fill<true>(left, head.v, first, e);
    Tiles::template fill<true>(right, of_context, block.column, e);
    __syncthreads();
    Tiles::template multiply<side>(d, left, right);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    Index const row = first + 4 * Tiles::row() + i;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      Index const c = block.column + 4 * Tiles::column() + j;
      if (row < s.positions && c < s.dim)
        d[i][j] = head.key(c, to_float(head.k.data[row * head.k.stride + c])) * (d[i][j] - dot[block.unit * s.dim + c]);
    }
  }
  write_tile<side>(d, dqkv + head.offset + channels, head.k.stride, first, s.positions, block.column, s.dim, aligned);

  clear(d);
  for (Index channel = 0; channel < s.dim; channel += side) {
    Tiles::template fill<true>(left, head.k, first, channel,
                               [&](Index, Index c, float value) { return head.key(c, value); });
    Tiles::template fill<false>(right, of_context, channel, block.column);
    __syncthreads();
    Tiles::template multiply<side>(d, left, right);
    __syncthreads();
  }
  write_tile<side>(d, dqkv + head.offset + 2 * channels, head.v.stride, first, s.positions, block.column, s.dim,
                   aligned);
}

}  // namespace stipple::cuda
