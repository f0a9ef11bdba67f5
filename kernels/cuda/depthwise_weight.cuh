// The gradient of a depthwise convolution's weight: each block sums over a piece of the batch, all taps of some
// channels, into partial sums (pieces, taps, channels).
#pragma once

#include <stipple/backend/conv_dims.hpp>

#include "columns.cuh"

namespace stipple::cuda {

/// Pieces of `images` images and `rows` of their rows. They depend on the extents of an image alone.
struct DepthwisePieces {
  Index images, rows;
  Index per_image;      ///< pieces of rows
  Index column_blocks;  ///< blocks side by side, where the channels are too many for one
};

struct DepthwisePiece {
  Index first_image, images, first_row, rows;

  __device__ __forceinline__ DepthwisePiece(Index piece, const DepthwisePieces& p, const ConvDims& d) {
    Index const of_images = quotient(piece, p.per_image);
    first_image = of_images * p.images;
    first_row = (piece - of_images * p.per_image) * p.rows;
    images = first_image + p.images < d.n ? p.images : d.n - first_image;
    rows = first_row + p.rows < d.oh ? p.rows : d.oh - first_row;
  }
};

/// Neighbouring pixels of a row that a thread of `depthwise_weight_row_kernel` takes at a time.
inline constexpr int depthwise_gradient_pixels = 4;

// For stride and dilation of 1 and taps x taps kernels. Threads lie along the channels, along the pixels, and along the
// rows of the kernel: a thread sums one row of taps.
template <class T, int taps>
__global__ void __launch_bounds__(256, 1)
    depthwise_weight_row_kernel(const T* x, const T* dy, float* partial, ConvDims d, DepthwisePieces p) {
  constexpr int lanes = lanes_of<T>, pixels = depthwise_gradient_pixels;
  STIPPLE_SHARED(float, scratch, column_threads* lanes);
  Index const piece_index = quotient(blockIdx.x, p.column_blocks);
  Index const channel = ((blockIdx.x - piece_index * p.column_blocks) * blockDim.x + threadIdx.x) * lanes;
  DepthwisePiece const piece(piece_index, p, d);
  Index const segments = quotient(d.ow + pixels - 1, pixels), tap_row = threadIdx.z;
  float sum[taps][lanes] = {};
  Index const items = channel < d.c ? piece.images * piece.rows * segments : 0;
  for (Index i = threadIdx.y; i < items; i += blockDim.y) {
    Index const line = quotient(i, segments), of_image = quotient(line, piece.rows);
    Index const image = piece.first_image + of_image, row = piece.first_row + line - of_image * piece.rows;
    Index const column = (i - line * segments) * pixels, source_row = row + tap_row - d.padding;
    if (source_row < 0 || source_row >= d.h) continue;
    float g[pixels][lanes] = {};
#pragma unroll
    for (int q = 0; q < pixels; ++q)
      if (column + q < d.ow)
        load_lanes(dy + ((image * d.oh + row) * d.ow + column + q) * d.c + channel, 0, lanes, true, g[q]);
    const T* const from = x + (image * d.h + source_row) * d.w * d.c + channel;
#pragma unroll
    for (int j = 0; j < pixels + taps - 1; ++j) {
      Index const source_column = column + j - d.padding;
      if (source_column < 0 || source_column >= d.w) continue;
      float v[lanes];
      load_lanes(from + source_column * d.c, 0, lanes, true, v);
#pragma unroll
      for (int b = 0; b < taps; ++b) {
        if (j - b < 0 || j - b >= pixels) continue;
#pragma unroll
        for (int k = 0; k < lanes; ++k) sum[b][k] = fmaf(v[k], g[j - b][k], sum[b][k]);
      }
    }
  }
  float* const to = partial + (piece_index * taps + tap_row) * taps * d.c;
#pragma unroll
  for (int b = 0; b < taps; ++b) {
    sum_over_pixels(sum[b], scratch);
    if (threadIdx.y == 0 && channel < d.c) store_lanes(to + b * d.c, channel, d.c, false, sum[b]);
  }
}

// Any kernel: a block sums one tap.
template <class T>
__global__ void __launch_bounds__(256)
    depthwise_weight_tap_kernel(const T* x, const T* dy, float* partial, ConvDims d, DepthwisePieces p, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, column_threads* lanes);
  Index const taps = d.kh * d.kw, cell = quotient(blockIdx.x, taps), tap = blockIdx.x - cell * taps;
  Index const piece_index = quotient(cell, p.column_blocks);
  Index const channel = ((cell - piece_index * p.column_blocks) * blockDim.x + threadIdx.x) * lanes;
  DepthwisePiece const piece(piece_index, p, d);
  Index const tap_row = quotient(tap, d.kw), tap_column = tap - tap_row * d.kw;
  float sum[lanes] = {};
  Index const items = channel < d.c ? piece.images * piece.rows * d.ow : 0;
  for (Index i = threadIdx.y; i < items; i += blockDim.y) {
    Index const line = quotient(i, d.ow), of_image = quotient(line, piece.rows), column = i - line * d.ow;
    Index const image = piece.first_image + of_image, row = piece.first_row + line - of_image * piece.rows;
    Index const source_row = row * d.stride + tap_row * d.dilation - d.padding;
    Index const source_column = column * d.stride + tap_column * d.dilation - d.padding;
    if (source_row < 0 || source_row >= d.h || source_column < 0 || source_column >= d.w) continue;
    float v[lanes], g[lanes];
    load_lanes(x + ((image * d.h + source_row) * d.w + source_column) * d.c, channel, d.c, aligned, v);
    load_lanes(dy + ((image * d.oh + row) * d.ow + column) * d.c, channel, d.c, aligned, g);
#pragma unroll
    for (int k = 0; k < lanes; ++k) sum[k] = fmaf(v[k], g[k], sum[k]);
  }
  sum_over_pixels(sum, scratch);
  if (threadIdx.y == 0 && channel < d.c)
    store_lanes(partial + (piece_index * taps + tap) * d.c, channel, d.c, false, sum);
}

}  // namespace stipple::cuda
