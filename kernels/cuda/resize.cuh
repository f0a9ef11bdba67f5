#pragma once

#include <cmath>

#include <stipple/backend/resize_plan.hpp>

#include "elementwise.cuh"

namespace stipple::cuda {

/// Along one axis: output o is (1 - fraction) input[first] + fraction input[first + 1].
struct ResizeAxis {
  Index in, out;
  bool bilinear, align_corners;
  float scale;  ///< inputs an output, which decides between neighbours at a tie
  double step;

  struct Taps {
    Index first;
    float fraction;
  };
  __device__ __forceinline__ Taps taps(Index o) const {
    if (!bilinear) {
      auto const nearest = static_cast<Index>(static_cast<float>(o) * scale);
      return {nearest < in - 1 ? nearest : in - 1, 0.0f};
    }
    double source = align_corners ? step * static_cast<double>(o) : step * (static_cast<double>(o) + 0.5) - 0.5;
    if (source < 0) source = 0;
    auto const below = static_cast<Index>(source);
    Index const first = below < in - 1 ? below : in - 1;
    double const fraction = source - static_cast<double>(first);
    return {first, first == in - 1 ? 0.0f : static_cast<float>(fraction < 1 ? fraction : 1.0)};
  }
  /// What input i counts in output o.
  __device__ __forceinline__ float weight(Index o, Index i) const {
    Taps const t = taps(o);
    return i == t.first ? 1.0f - t.fraction : i == t.first + 1 ? t.fraction : 0.0f;
  }
  /// Outputs in which input i may count; all that lie outside of [begin, end) have a weight of zero.
  __device__ __forceinline__ void outputs(Index i, Index& begin, Index& end) const {
    begin = 0;
    end = out;
    if (step == 0) return;
    auto const low = static_cast<Index>(floor(static_cast<double>(i - 1) / step)) - 1;
    auto const high = static_cast<Index>(ceil(static_cast<double>(i + 2) / step)) + 1;
    if (low > begin) begin = low;
    if (high < end) end = high;
  }
};

// A thread makes `lanes` channels of an output pixel.
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    resize_kernel(const T* x, T* y, Index n, Index channels, ResizeAxis rows, ResizeAxis columns) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const all = n * rows.out * columns.out * channels;
  for (Index i = first_element<lanes>(); i < all; i += element_stride<lanes>()) {
    Index const pixel = quotient(i, channels), row = quotient(pixel, columns.out), image = quotient(row, rows.out);
    ResizeAxis::Taps const r = rows.taps(row - image * rows.out), c = columns.taps(pixel - row * columns.out);
    const T* const from = x + image * rows.in * columns.in * channels + (i - pixel * channels);
    float total[lanes] = {};
    for (int down = 0; down < (r.fraction > 0.0f ? 2 : 1); ++down) {
      for (int right = 0; right < (c.fraction > 0.0f ? 2 : 1); ++right) {
        float const w = (down == 1 ? r.fraction : 1.0f - r.fraction) * (right == 1 ? c.fraction : 1.0f - c.fraction);
        float v[lanes];
        load_lanes(from + ((r.first + down) * columns.in + c.first + right) * channels, 0, lanes, whole, v);
#pragma unroll
        for (int k = 0; k < lanes; ++k) total[k] = fmaf(w, v[k], total[k]);
      }
    }
    store_lanes(y, i, all, whole, total);
  }
}

// A thread makes `lanes` channels of an input pixel's gradient from the outputs in which the pixel counts.
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    resize_backward_kernel(const T* dy, T* dx, Index n, Index channels, ResizeAxis rows, ResizeAxis columns) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const all = n * rows.in * columns.in * channels;
  for (Index i = first_element<lanes>(); i < all; i += element_stride<lanes>()) {
    Index const pixel = quotient(i, channels), row = quotient(pixel, columns.in), image = quotient(row, rows.in);
    Index const own_row = row - image * rows.in, own_column = pixel - row * columns.in;
    const T* const from = dy + image * rows.out * columns.out * channels + (i - pixel * channels);
    Index first_row, end_row, first_column, end_column;
    rows.outputs(own_row, first_row, end_row);
    columns.outputs(own_column, first_column, end_column);
    float total[lanes] = {};
    for (Index o = first_row; o < end_row; ++o) {
      float const row_weight = rows.weight(o, own_row);
      if (row_weight == 0.0f) continue;
      for (Index p = first_column; p < end_column; ++p) {
        float const w = row_weight * columns.weight(p, own_column);
        if (w == 0.0f) continue;
        float v[lanes];
        load_lanes(from + (o * columns.out + p) * channels, 0, lanes, whole, v);
#pragma unroll
        for (int k = 0; k < lanes; ++k) total[k] = fmaf(w, v[k], total[k]);
      }
    }
    store_lanes(dx, i, all, whole, total);
  }
}

}  // namespace stipple::cuda
