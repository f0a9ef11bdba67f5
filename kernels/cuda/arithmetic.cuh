#pragma once

#include <stipple/backend/broadcast.hpp>

#include "block.cuh"
#include "columns.cuh"

namespace stipple::cuda {

__device__ __forceinline__ float combine(Arithmetic kind, float a, float b) {
  return kind == Arithmetic::multiply ? a * b : kind == Arithmetic::add ? a + b : a - b;
}

// out[i] = f(a[i], b[i])
template <class T, class U>
__global__ void __launch_bounds__(256)
    arithmetic_kernel(Arithmetic kind, const T* a, const U* b, T* out, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T, U>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float x[lanes], y[lanes];
    load_lanes(a, i, n, aligned, x);
    load_lanes(b, i, n, aligned, y);
#pragma unroll
    for (int k = 0; k < lanes; ++k) x[k] = combine(kind, x[k], y[k]);
    store_lanes(out, i, n, aligned, x);
  }
}

// Element i of `inner` has its partner in b at (i / (middle inner)) inner + i % inner. With `rows_aligned` the lanes of
// a thread lie in one row, and their partners side by side.
template <int lanes, class U>
__device__ __forceinline__ void load_partners(const U* b, Index i, Index n, Broadcast s, bool rows_aligned,
                                              float (&y)[lanes]) {
  if (rows_aligned) {
    Index const row = quotient(i, s.inner), at = quotient(row, s.middle) * s.inner + (i - row * s.inner);
    load_lanes(b, at, at + lanes, true, y);
    return;
  }
#pragma unroll
  for (int k = 0; k < lanes; ++k) {
    Index const j = i + k < n ? i + k : i, row = quotient(j, s.inner);
    y[k] = to_float(b[quotient(row, s.middle) * s.inner + (j - row * s.inner)]);
  }
}

template <class T, class U>
__global__ void __launch_bounds__(256)
    broadcast_kernel(Arithmetic kind, const T* a, const U* b, T* out, Broadcast s, bool aligned, bool rows_aligned) {
  constexpr int lanes = lanes_of<T, U>;
  Index const n = s.outer * s.middle * s.inner;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float x[lanes], y[lanes];
    load_lanes(a, i, n, aligned, x);
    load_partners(b, i, n, s, rows_aligned, y);
#pragma unroll
    for (int k = 0; k < lanes; ++k) x[k] = combine(kind, x[k], y[k]);
    store_lanes(out, i, n, aligned, x);
  }
}

// y[i] = scale partner of i in g
template <class T>
__global__ void __launch_bounds__(256)
    repeat_kernel(const float* g, float scale, T* y, Broadcast s, bool aligned, bool rows_aligned) {
  constexpr int lanes = lanes_of<T>;
  Index const n = s.outer * s.middle * s.inner;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes];
    load_partners(g, i, n, s, rows_aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] *= scale;
    store_lanes(y, i, n, aligned, v);
  }
}

template <class T>
__global__ void __launch_bounds__(256)
    affine_kernel(const T* a, float scale, float shift, T* out, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes];
    load_lanes(a, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] = fmaf(v[k], scale, shift);
    store_lanes(out, i, n, aligned, v);
  }
}

template <class T, class U>
__global__ void __launch_bounds__(256) cast_kernel(const U* a, T* out, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T, U>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes];
    load_lanes(a, i, n, aligned, v);
    store_lanes(out, i, n, aligned, v);
  }
}

// Piece p of the sum of row o: elements [p size, (p + 1) size) of `middle`, a group of `threads` threads a piece.
template <class T, class U, int threads>
__global__ void __launch_bounds__(256)
    sum_rows_kernel(const T* g, const T* factor, U* out, Index outer, Index middle, Index size, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  Index const pieces = quotient(middle + size - 1, size);
  Index const item = Index{blockIdx.x} * (256 / threads) + threadIdx.x / threads;
  bool const mine = item < outer * pieces;
  Index const o = mine ? quotient(item, pieces) : 0, first = mine ? (item - o * pieces) * size : 0;
  Index const last = first + size < middle ? first + size : middle;
  const T* const row = g + o * middle;
  float total = 0.0f;
  if (mine) {
    for (Index i = first + threadIdx.x % threads * lanes; i < last; i += threads * lanes) {
      float v[lanes];
      load_lanes(row, i, last, aligned, v);
      if (factor != nullptr) {
        float f[lanes];
        load_lanes(factor + o * middle, i, last, aligned, f);
#pragma unroll
        for (int k = 0; k < lanes; ++k) v[k] *= f[k];
      }
#pragma unroll
      for (int k = 0; k < lanes; ++k) total += v[k];
    }
  }
  total = threads == warp_size ? warp_sum(total) : block_sum(total, scratch);
  if (mine && threadIdx.x % threads == 0) out[item] = from_float<U>(total);
}

// Piece p of the sums of the columns of sample o: rows [p size, (p + 1) size) of `middle` rows of `inner` columns. The
// block has blockDim.x threads along the columns, each with `lanes` of them, and blockDim.y along the rows.
template <class T, class U>
__global__ void __launch_bounds__(256)
    sum_columns_kernel(const T* g, const T* factor, U* out, Index middle, Index inner, Index size, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, partial, 256 * lanes);
  Index const packs = (inner + lanes - 1) / lanes, column_blocks = quotient(packs + blockDim.x - 1, blockDim.x);
  Index const pieces = quotient(middle + size - 1, size);
  Index const item = quotient(blockIdx.x, column_blocks), o = quotient(item, pieces);
  Index const first = (item - o * pieces) * size, last = first + size < middle ? first + size : middle;
  Index const column = ((blockIdx.x - item * column_blocks) * blockDim.x + threadIdx.x) * lanes;
  float total[lanes] = {};
  if (column < inner) {
    for (Index m = first + threadIdx.y; m < last; m += blockDim.y) {
      Index const row = (o * middle + m) * inner;
      float v[lanes];
      load_lanes(g + row, column, inner, aligned, v);
      if (factor != nullptr) {
        float f[lanes];
        load_lanes(factor + row, column, inner, aligned, f);
#pragma unroll
        for (int k = 0; k < lanes; ++k) v[k] *= f[k];
      }
#pragma unroll
      for (int k = 0; k < lanes; ++k) total[k] += v[k];
    }
  }
  sum_over_pixels(total, partial);
  if (threadIdx.y == 0 && column < inner) store_lanes(out + item * inner, column, inner, false, total);
}

}  // namespace stipple::cuda
