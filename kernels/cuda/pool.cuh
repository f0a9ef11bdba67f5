#pragma once

#include <stipple/backend/pool_plan.hpp>

#include "block.cuh"
#include "elementwise.cuh"

namespace stipple::cuda {

struct Range {
  Index begin, end;
};
// The part of window `out` that lies within the image, along one axis.
__device__ __forceinline__ Range window_of(Index out, Index extent, const PoolPlan& p) {
  Index const first = out * p.stride - p.padding, last = first + p.kernel;
  return {first < 0 ? 0 : first, last > extent ? extent : last};
}
// The windows that pixel `in` lies in, along one axis of `out` windows.
__device__ __forceinline__ Range windows_with(Index in, Index out, const PoolPlan& p) {
  Index const reach = in + p.padding, begin = reach < p.kernel ? 0 : quotient(reach - p.kernel, p.stride) + 1;
  Index const end = quotient(reach, p.stride) + 1;
  return {begin, end < out ? end : out};
}
__device__ __forceinline__ float window_share(const Range& rows, const Range& columns, const PoolPlan& p,
                                              bool counts_padding) {
  Index const pixels = counts_padding ? p.kernel * p.kernel : (rows.end - rows.begin) * (columns.end - columns.begin);
  return 1.0f / static_cast<float>(pixels);
}

// Where element i of images of height x width pixels lies.
struct Place {
  Index image, row, column, channel;

  __device__ __forceinline__ Place(Index i, Index height, Index width, Index channels) {
    Index const pixel = quotient(i, channels), line = quotient(pixel, width);
    image = quotient(line, height);
    row = line - image * height;
    column = pixel - line * width;
    channel = i - pixel * channels;
  }
};

// A thread makes `lanes` channels of a window: all of the kernels here take 16 bytes at a time with `whole`.
template <class T, bool whole>
__global__ void __launch_bounds__(256, 2) avg_pool_kernel(const T* x, T* y, PoolPlan p, bool counts_padding) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = p.n * p.out_height * p.out_width * p.channels;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Place const at(i, p.out_height, p.out_width, p.channels);
    const T* const from = x + at.image * p.height * p.width * p.channels + at.channel;
    Range const rows = window_of(at.row, p.height, p), columns = window_of(at.column, p.width, p);
    float total[lanes] = {};
    for (Index r = rows.begin; r < rows.end; ++r) {
      for (Index c = columns.begin; c < columns.end; ++c) {
        float v[lanes];
        load_lanes(from + (r * p.width + c) * p.channels, 0, lanes, whole, v);
#pragma unroll
        for (int k = 0; k < lanes; ++k) total[k] += v[k];
      }
    }
    float const share = window_share(rows, columns, p, counts_padding);
#pragma unroll
    for (int k = 0; k < lanes; ++k) total[k] *= share;
    store_lanes(y, i, n, whole, total);
  }
}

template <class T, bool whole>
__global__ void __launch_bounds__(256, 2)
    avg_pool_backward_kernel(const T* dy, T* dx, PoolPlan p, bool counts_padding) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = p.n * p.height * p.width * p.channels;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Place const at(i, p.height, p.width, p.channels);
    const T* const from = dy + at.image * p.out_height * p.out_width * p.channels + at.channel;
    Range const rows = windows_with(at.row, p.out_height, p), columns = windows_with(at.column, p.out_width, p);
    float total[lanes] = {};
    for (Index r = rows.begin; r < rows.end; ++r) {
      for (Index c = columns.begin; c < columns.end; ++c) {
        float const share = window_share(window_of(r, p.height, p), window_of(c, p.width, p), p, counts_padding);
        float v[lanes];
        load_lanes(from + (r * p.out_width + c) * p.channels, 0, lanes, whole, v);
#pragma unroll
        for (int k = 0; k < lanes; ++k) total[k] = fmaf(share, v[k], total[k]);
      }
    }
    store_lanes(dx, i, n, whole, total);
  }
}

template <class T, bool whole>
__global__ void __launch_bounds__(256, 2) max_pool_kernel(const T* x, T* y, PoolPlan p) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = p.n * p.out_height * p.out_width * p.channels;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Place const at(i, p.out_height, p.out_width, p.channels);
    const T* const from = x + at.image * p.height * p.width * p.channels + at.channel;
    Range const rows = window_of(at.row, p.height, p), columns = window_of(at.column, p.width, p);
    float most[lanes];
    load_lanes(from + (rows.begin * p.width + columns.begin) * p.channels, 0, lanes, whole, most);
    for (Index r = rows.begin; r < rows.end; ++r) {
      for (Index c = columns.begin; c < columns.end; ++c) {
        float v[lanes];
        load_lanes(from + (r * p.width + c) * p.channels, 0, lanes, whole, v);
#pragma unroll
        for (int k = 0; k < lanes; ++k) most[k] = larger(most[k], v[k]);
      }
    }
    store_lanes(y, i, n, whole, most);
  }
}

// A thread makes `lanes` channels of a pixel's gradient: from each window that the pixel lies in and in which no pixel
// before it, in rows, is the largest.
template <class T, bool whole>
__global__ void __launch_bounds__(256, 2)
    max_pool_backward_kernel(const T* dy, const T* x, const T* y, T* dx, PoolPlan p) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = p.n * p.height * p.width * p.channels;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Place const at(i, p.height, p.width, p.channels);
    const T* const image = x + at.image * p.height * p.width * p.channels + at.channel;
    Index const out_image = at.image * p.out_height * p.out_width * p.channels + at.channel;
    Range const rows = windows_with(at.row, p.out_height, p), columns = windows_with(at.column, p.out_width, p);
    float own[lanes], total[lanes] = {};
    load_lanes(x, i, n, whole, own);
    for (Index r = rows.begin; r < rows.end; ++r) {
      for (Index c = columns.begin; c < columns.end; ++c) {
        Index const window = out_image + (r * p.out_width + c) * p.channels;
        float most[lanes], g[lanes];
        load_lanes(y + window, 0, lanes, whole, most);
        load_lanes(dy + window, 0, lanes, whole, g);
#pragma unroll
        for (int k = 0; k < lanes; ++k) g[k] = own[k] < most[k] ? 0.0f : g[k];
        Range const window_rows = window_of(r, p.height, p), window_columns = window_of(c, p.width, p);
        for (Index j = window_rows.begin; j <= at.row; ++j) {
          Index const end = j < at.row ? window_columns.end : at.column;
          for (Index l = window_columns.begin; l < end; ++l) {
            float v[lanes];
            load_lanes(image + (j * p.width + l) * p.channels, 0, lanes, whole, v);
#pragma unroll
            for (int k = 0; k < lanes; ++k) g[k] = v[k] < most[k] ? g[k] : 0.0f;
          }
        }
#pragma unroll
        for (int k = 0; k < lanes; ++k) total[k] += g[k];
      }
    }
    store_lanes(dx, i, n, whole, total);
  }
}

// to[i] = share from[i]
template <class T>
__global__ void __launch_bounds__(256) share_kernel(const float* from, float share, T* to, Index n) {
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) to[i] = from_float<T>(share * from[i]);
}

// dx[n, p, c] = share dy[n, c]
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    spread_kernel(const T* dy, float share, T* dx, Index images, Index pixels, Index channels) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = images * pixels * channels;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Place const at(i, pixels, 1, channels);
    float v[lanes];
    load_lanes(dy + at.image * channels + at.channel, 0, lanes, whole, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] *= share;
    store_lanes(dx, i, n, whole, v);
  }
}

}  // namespace stipple::cuda
