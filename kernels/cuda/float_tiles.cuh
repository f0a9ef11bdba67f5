// Products of small matrices in float, by a block: tiles of side x side numbers in shared memory, of which each thread
// multiplies 4 x 4.
#pragma once

#include "block.cuh"
#include "elementwise.cuh"

namespace stipple::cuda {

using FloatTile = float[4][4];

/// What is read into a tile: `count` rows of `channels` numbers, `stride` apart.
template <class T>
struct TileRows {
  const T* data;
  Index stride, count, channels;
  bool aligned;  ///< 16 bytes at a time
};

/// A thread has rows 4 row() to 4 row() + 3 and columns 4 column() to 4 column() + 3 of a tile.
template <int side>
struct FloatTiles {
  static constexpr int threads = side * side / 16, pitch = side + 4, room = side * pitch;

  static __device__ __forceinline__ int row() { return static_cast<int>(threadIdx.x) / (side / 4); }
  static __device__ __forceinline__ int column() { return static_cast<int>(threadIdx.x) % (side / 4); }

  /// to[i][c] = f(first + i, channel + c, number) for `rows` rows and `depth` channels, or to[c][i] with `transposed`.
  /// The number is zero where there is none.
  template <bool transposed, int rows = side, int depth = side, class T, class F>
  static __device__ __forceinline__ void fill(float* to, const TileRows<T>& from, Index first, Index channel,
                                              const F& f) {
    constexpr int lanes = lanes_of<T>, packs = depth / lanes;
    for (int i = static_cast<int>(threadIdx.x); i < rows * packs; i += threads) {
      int const r = transposed ? i % rows : i / packs, c = (transposed ? i / rows : i % packs) * lanes;
      Index const at = first + r;
      float v[lanes];
      load_lanes(from.data + (at < from.count ? at * from.stride : 0), channel + c, at < from.count ? from.channels : 0,
                 from.aligned, v);
#pragma unroll
      for (int k = 0; k < lanes; ++k) {
        float const value = at < from.count && channel + c + k < from.channels ? f(at, channel + c + k, v[k]) : 0.0f;
        to[transposed ? (c + k) * pitch + r : r * pitch + c + k] = value;
      }
    }
  }
  template <bool transposed, int rows = side, int depth = side, class T>
  static __device__ __forceinline__ void fill(float* to, const TileRows<T>& from, Index first, Index channel) {
    fill<transposed, rows, depth>(to, from, first, channel, [](Index, Index, float value) { return value; });
  }

  /// d[i][j] += sum over k < depth of left[k][i] right[k][j]
  template <int depth = side>
  static __device__ __forceinline__ void multiply(FloatTile& d, const float* left, const float* right) {
#pragma unroll 4
    for (int k = 0; k < depth; ++k) {
      float a[4], b[4];
      load_lanes(left + k * pitch, 4 * row(), side, true, a);
      load_lanes(right + k * pitch, 4 * column(), side, true, b);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) d[i][j] = fmaf(a[i], b[j], d[i][j]);
    }
  }

  /// to[row][column] = the tile, or its transpose.
  template <bool transposed>
  static __device__ __forceinline__ void store(const FloatTile& d, float* to) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      Quad quad;
#pragma unroll
      for (int j = 0; j < 4; ++j) quad.word[j] = __float_as_uint(transposed ? d[j][i] : d[i][j]);
      store_shared_quad(to + (4 * (transposed ? column() : row()) + i) * pitch + 4 * (transposed ? row() : column()),
                        quad);
    }
  }

  // Sum and maximum over the threads that share rows of a tile.
  static __device__ __forceinline__ float row_sum(float value) {
#pragma unroll
    for (int distance = side / 8; distance > 0; distance /= 2) value += __shfl_xor_sync(all_lanes, value, distance);
    return value;
  }
  static __device__ __forceinline__ float row_max(float value) {
#pragma unroll
    for (int distance = side / 8; distance > 0; distance /= 2)
      value = larger(value, __shfl_xor_sync(all_lanes, value, distance));
    return value;
  }
};

__device__ __forceinline__ void clear(FloatTile& d) {
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) d[i][j] = 0.0f;
}

}  // namespace stipple::cuda
