#pragma once

#include <cmath>

#include <stipple/backend/linear_attention_shape.hpp>

#include "columns.cuh"
#include "float_tiles.cuh"

namespace stipple::cuda {

/// Positions of which a block sums products; they do not depend on the number of samples.
inline constexpr Index linear_attention_piece = 256;

// Largest k of each channel over a slab of positions, and the sum of exp(k - largest): partial (samples, slabs, 2,
// channels). The slab is read twice; the second time it comes from a cache.
template <class T>
__global__ void __launch_bounds__(256) slab_exponentials_kernel(const T* k, float* partial, Slabs s, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, column_threads* lanes);
  Columns const at = Columns::of_thread<lanes>(s);
  Index const row = 3 * s.channels;
  const T* const from = k + at.sample * s.pixels * row;
  float most[lanes], total[lanes] = {};
#pragma unroll
  for (int i = 0; i < lanes; ++i) most[i] = -INFINITY;
  if (at.inside) {
    for (Index p = at.pixel; p < at.end; p += blockDim.y) {
      float v[lanes];
      load_lanes(from + p * row, at.channel, s.channels, aligned, v);
#pragma unroll
      for (int i = 0; i < lanes; ++i) most[i] = larger(most[i], v[i]);
    }
  }
  combine_over_pixels(most, scratch, [](float a, float b) { return larger(a, b); });
  if (at.inside) {
    for (Index p = at.pixel; p < at.end; p += blockDim.y) {
      float v[lanes];
      load_lanes(from + p * row, at.channel, s.channels, aligned, v);
#pragma unroll
      for (int i = 0; i < lanes; ++i) total[i] += expf(v[i] - most[i]);
    }
  }
  sum_over_pixels(total, scratch);
  if (threadIdx.y == 0 && at.inside) {
    float* const to = partial + (at.sample * s.count + at.slab) * 2 * s.channels;
    store_lanes(to, at.channel, s.channels, false, most);
    store_lanes(to + s.channels, at.channel, s.channels, false, total);
  }
}

// statistics (samples, heads, 2, dim) from those of the slabs, a thread a channel.
__global__ void __launch_bounds__(256)
    merge_exponentials_kernel(const float* partial, float* statistics, Index slabs, LinearAttentionShape s) {
  Index const channels = s.heads * s.dim, n = s.samples * channels;
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) {
    Index const sample = quotient(i, channels), channel = i - sample * channels, head = quotient(i, s.dim);
    const float* const from = partial + sample * slabs * 2 * channels + channel;
    float most = -INFINITY, total = 0.0f;
    for (Index slab = 0; slab < slabs; ++slab) most = larger(most, from[slab * 2 * channels]);
    for (Index slab = 0; slab < slabs; ++slab)
      total += from[(slab * 2 + 1) * channels] * expf(from[slab * 2 * channels] - most);
    float* const to = statistics + head * 2 * s.dim + (i - head * s.dim);
    to[0] = most;
    to[s.dim] = 1.0f / total;
  }
}

/// The operands of one sample and head. Rows of q, k and v lie `stride` apart, those of y and dy `y_stride`.
template <class T>
struct LinearHead {
  TileRows<T> q, k, v;
  Index offset;    ///< of q in qkv
  Index y_offset;  ///< of the head in y
  const float *largest, *inverse;

  __device__ __forceinline__ LinearHead(const T* qkv, const float* statistics, const LinearAttentionShape& s,
                                        Index unit, bool aligned) {
    Index const sample = quotient(unit, s.heads), head = unit - sample * s.heads, channels = s.heads * s.dim;
    offset = sample * s.positions * 3 * channels + head * s.dim;
    y_offset = sample * s.positions * channels + head * s.dim;
    q = {qkv + offset, 3 * channels, s.positions, s.dim, aligned};
    k = {q.data + channels, q.stride, s.positions, s.dim, aligned};
    v = {k.data + channels, q.stride, s.positions, s.dim, aligned};
    largest = statistics + unit * 2 * s.dim;
    inverse = largest + s.dim;
  }
  /// The softmax of k over the positions.
  __device__ __forceinline__ float key(Index channel, float value) const {
    return expf(value - largest[channel]) * inverse[channel];
  }
};

/// Softmax of rows of q over the channels: scale exp(q - most[i]) / total of row first + i is exp(q - most[i])
/// factor[i]. A warp takes a row at a time.
template <int side, class T>
__device__ __forceinline__ void softmax_rows(const TileRows<T>& q, Index first, float* most, float* factor) {
  int const lane = static_cast<int>(threadIdx.x) % warp_size;
  float const scale = 1.0f / sqrtf(static_cast<float>(q.channels));
  for (int i = static_cast<int>(threadIdx.x) / warp_size; i < side; i += FloatTiles<side>::threads / warp_size) {
    const T* const row = q.data + (first + i < q.count ? first + i : q.count - 1) * q.stride;
    float largest = -INFINITY, total = 0.0f;
    for (Index c = lane; c < q.channels; c += warp_size) largest = larger(largest, to_float(row[c]));
    largest = warp_max(largest);
    for (Index c = lane; c < q.channels; c += warp_size) total += expf(to_float(row[c]) - largest);
    total = warp_sum(total);
    if (lane != 0) continue;
    most[i] = largest;
    factor[i] = scale / total;
  }
}

/// Which unit, part of the positions, and tiles of channels a block takes.
struct LinearBlock {
  Index unit, part, row, column;

  /// `parts` of the positions, and rows x columns tiles of `side` channels.
  __device__ __forceinline__ LinearBlock(Index parts, Index rows, Index columns, int side) {
    Index const above = quotient(blockIdx.x, columns), higher = quotient(above, rows);
    column = (blockIdx.x - above * columns) * side;
    row = (above - higher * rows) * side;
    unit = quotient(higher, parts);
    part = higher - unit * parts;
  }
};

__device__ __forceinline__ Index tiles_of(Index n, Index side) { return quotient(n + side - 1, side); }

/// Writes a tile of `side` x `side` numbers that has `rows` x `columns`.
template <int side, class T>
__device__ __forceinline__ void write_tile(const FloatTile& d, T* to, Index stride, Index first, Index rows,
                                           Index channel, Index channels, bool aligned) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    Index const row = first + 4 * FloatTiles<side>::row() + i;
    if (row < rows) store_lanes(to + row * stride, channel + 4 * FloatTiles<side>::column(), channels, aligned, d[i]);
  }
}

// partial (units, pieces, dim, dim) = sums over the positions of a piece of a[l][d] b[l][e]: with softmax(k) and v
// those of the context; with `gradient`, with scale softmax(q) and dy, those of its gradient.
template <class T, int side, bool gradient>
__global__ void __launch_bounds__(FloatTiles<side>::threads, 1)
    context_kernel(const T* qkv, const T* dy, const float* statistics, float* partial, LinearAttentionShape s,
                   bool aligned) {
  using Tiles = FloatTiles<side>;
  STIPPLE_SHARED(float, left, Tiles::room);
  STIPPLE_SHARED(float, right, Tiles::room);
  STIPPLE_SHARED(float, numbers, 2 * side);
  Index const pieces = tiles_of(s.positions, linear_attention_piece), tiles = tiles_of(s.dim, side);
  LinearBlock const block(pieces, tiles, tiles, side);
  LinearHead<T> const head(qkv, statistics, s, block.unit, aligned);
  TileRows<T> other = head.v;
  if (gradient) other = {dy + head.y_offset, s.heads * s.dim, s.positions, s.dim, aligned};
  Index const first = block.part * linear_attention_piece;
  Index const end = first + linear_attention_piece < s.positions ? first + linear_attention_piece : s.positions;
  FloatTile d = {};
  for (Index position = first; position < end; position += side) {
    if constexpr (gradient) {
      softmax_rows<side>(head.q, position, numbers, numbers + side);
      __syncthreads();
      Tiles::template fill<false>(left, head.q, position, block.row, [&](Index l, Index, float value) {
        return expf(value - numbers[l - position]) * numbers[side + l - position];
      });
    } else {
      Tiles::template fill<false>(left, head.k, position, block.row,
                                  [&](Index, Index c, float value) { return head.key(c, value); });
    }
    Tiles::template fill<false>(right, other, position, block.column);
    __syncthreads();
    Tiles::template multiply<side>(d, left, right);
    __syncthreads();
  }
  write_tile<side>(d, partial + (block.unit * pieces + block.part) * s.dim * s.dim, s.dim, block.row, s.dim,
                   block.column, s.dim, false);
}

// y[l][e] = sum over d of scale softmax(q)[l][d] context[d][e]
template <class T, int side>
__global__ void __launch_bounds__(FloatTiles<side>::threads, 1)
    linear_attention_kernel(const T* qkv, const float* statistics, const float* context, T* y, LinearAttentionShape s,
                            bool aligned) {
  using Tiles = FloatTiles<side>;
  STIPPLE_SHARED(float, left, Tiles::room);
  STIPPLE_SHARED(float, right, Tiles::room);
  STIPPLE_SHARED(float, numbers, 2 * side);
  LinearBlock const block(tiles_of(s.positions, side), 1, tiles_of(s.dim, side), side);
  LinearHead<T> const head(qkv, statistics, s, block.unit, aligned);
  TileRows<float> const of_context{context + block.unit * s.dim * s.dim, s.dim, s.dim, s.dim, s.dim % 4 == 0};
  Index const first = block.part * side;
  softmax_rows<side>(head.q, first, numbers, numbers + side);
  __syncthreads();
  FloatTile d = {};
  for (Index channel = 0; channel < s.dim; channel += side) {
    Tiles::template fill<true>(left, head.q, first, channel, [&](Index l, Index, float value) {
      return expf(value - numbers[l - first]) * numbers[side + l - first];
    });
    Tiles::template fill<false>(right, of_context, channel, block.column);
    __syncthreads();
    Tiles::template multiply<side>(d, left, right);
    __syncthreads();
  }
  write_tile<side>(d, y + head.y_offset, s.heads * s.dim, first, s.positions, block.column, s.dim, aligned);
}

}  // namespace stipple::cuda
