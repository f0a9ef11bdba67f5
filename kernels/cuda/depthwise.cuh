#pragma once

#include "elementwise.cuh"

namespace stipple::cuda {

/// Pixel (i, j) of a grid sums taps (a, b) of the source at row i stride + a dilation + top and column
/// j stride + b dilation + left, where the source is spread with zeros.
struct DepthwiseGather {
  Index images, h, w, grid_h, grid_w, channels;
  Index kh, kw, stride, dilation, spread, top, left;
  bool flip;  ///< the taps are those of the kernel backwards
};

/// What is added to the sums; null pointers are left out.
template <class T>
struct DepthwiseAddends {
  const float* bias;  ///< (channels)
  const T* addend;    ///< (images, channels)
  const T* residual;  ///< as the result

  template <int lanes>
  __device__ __forceinline__ void start(Index image, Index channel, Index channels, float (&sum)[lanes]) const {
#pragma unroll
    for (int k = 0; k < lanes; ++k) sum[k] = bias == nullptr ? 0.0f : bias[channel + k];
    if (addend == nullptr) return;
#pragma unroll
    for (int k = 0; k < lanes; ++k) sum[k] += to_float(addend[image * channels + channel + k]);
  }
  template <int lanes>
  __device__ __forceinline__ void finish(Index i, bool aligned, float (&sum)[lanes]) const {
    if (residual == nullptr) return;
    float v[lanes];
    load_lanes(residual + i, 0, lanes, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) sum[k] += v[k];
  }
};

/// Neighbouring pixels of a row that a thread of `depthwise_row_kernel` makes.
inline constexpr int depthwise_pixels = 8;

// For stride, dilation and spread of 1 and `taps` columns of the kernel. A thread makes `depthwise_pixels` pixels of 16
// bytes of channels each: every input is read once a kernel row, and used for all pixels that it is a tap of.
template <class T, int taps>
__global__ void __launch_bounds__(128, 2)
    depthwise_row_kernel(const T* source, const T* weight, DepthwiseAddends<T> addends, T* out, DepthwiseGather g) {
  constexpr int lanes = lanes_of<T>, pixels = depthwise_pixels;
  Index const packs = quotient(g.channels, lanes), segments = quotient(g.grid_w + pixels - 1, pixels);
  Index const item = first_element<1>();
  Index const cell = quotient(item, packs), channel = (item - cell * packs) * lanes, line = quotient(cell, segments);
  Index const image = quotient(line, g.grid_h), row = line - image * g.grid_h;
  Index const column = (cell - line * segments) * pixels;
  if (image >= g.images) return;
  float sum[pixels][lanes];
  addends.start(image, channel, g.channels, sum[0]);
#pragma unroll
  for (int p = 1; p < pixels; ++p)
#pragma unroll
    for (int k = 0; k < lanes; ++k) sum[p][k] = sum[0][k];
  for (Index a = 0; a < g.kh; ++a) {
    Index const y = row + a + g.top;
    if (y < 0 || y >= g.h) continue;
    const T* const from = source + (image * g.h + y) * g.w * g.channels + channel;
    const T* const kernel_row = weight + (g.flip ? g.kh - 1 - a : a) * taps * g.channels + channel;
    float w[taps][lanes];
#pragma unroll
    for (int b = 0; b < taps; ++b)
      load_lanes(kernel_row + (g.flip ? taps - 1 - b : b) * g.channels, 0, lanes, true, w[b]);
#pragma unroll
    for (int j = 0; j < pixels + taps - 1; ++j) {
      Index const x = column + j + g.left;
      if (x < 0 || x >= g.w) continue;
      float v[lanes];
      load_lanes(from + x * g.channels, 0, lanes, true, v);
#pragma unroll
      for (int b = 0; b < taps; ++b) {
        if (j - b < 0 || j - b >= pixels) continue;
#pragma unroll
        for (int k = 0; k < lanes; ++k) sum[j - b][k] = fmaf(v[k], w[b][k], sum[j - b][k]);
      }
    }
  }
#pragma unroll
  for (int p = 0; p < pixels; ++p) {
    if (column + p >= g.grid_w) continue;
    Index const at = (line * g.grid_w + column + p) * g.channels + channel;
    addends.finish(at, true, sum[p]);
    store_lanes(out + at, 0, lanes, true, sum[p]);
  }
}

// Any kernel: a thread makes one pixel, of 16 bytes of channels with `whole`, of one channel otherwise.
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    depthwise_pixel_kernel(const T* source, const T* weight, DepthwiseAddends<T> addends, T* out, DepthwiseGather g) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = g.images * g.grid_h * g.grid_w * g.channels;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Index const pixel = quotient(i, g.channels), line = quotient(pixel, g.grid_w), image = quotient(line, g.grid_h);
    Index const channel = i - pixel * g.channels, row = line - image * g.grid_h, column = pixel - line * g.grid_w;
    float sum[lanes];
    addends.start(image, channel, g.channels, sum);
    for (Index a = 0; a < g.kh; ++a) {
      Index const y = row * g.stride + a * g.dilation + g.top;
      if (y < 0 || y >= g.h * g.spread || y % g.spread != 0) continue;
      for (Index b = 0; b < g.kw; ++b) {
        Index const x = column * g.stride + b * g.dilation + g.left;
        if (x < 0 || x >= g.w * g.spread || x % g.spread != 0) continue;
        Index const tap = g.flip ? g.kh * g.kw - 1 - (a * g.kw + b) : a * g.kw + b;
        Index const from = (image * g.h + quotient(y, g.spread)) * g.w + quotient(x, g.spread);
        float v[lanes], w[lanes];
        load_lanes(source + from * g.channels + channel, 0, lanes, whole, v);
        load_lanes(weight + tap * g.channels + channel, 0, lanes, whole, w);
#pragma unroll
        for (int k = 0; k < lanes; ++k) sum[k] = fmaf(v[k], w[k], sum[k]);
      }
    }
    addends.finish(i, whole, sum);
    store_lanes(out, i, n, whole, sum);
  }
}

}  // namespace stipple::cuda
