#pragma once

#include <cmath>

#include "rows.cuh"

namespace stipple::cuda {

// y = e^(x - largest) / sum of them; `threads` threads a row, which stays in the first-level cache between the passes.
template <class T, int threads>
__global__ void __launch_bounds__(256) softmax_kernel(const T* x, T* y, Index rows, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  Row const row = Row::of_thread<threads>(rows);
  const T* const from = x + row.index * n;
  Index const first = row.lane * lanes;
  float most = to_float(from[0]);
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes];
    load_lanes(from, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k)
      if (i + k < n) most = larger(most, v[k]);
  }
  most = row_max<threads>(most, scratch);
  float total = 0.0f;
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes];
    load_lanes(from, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k)
      if (i + k < n) total += expf(v[k] - most);
  }
  float const scale = 1.0f / row_sum<threads>(total, scratch);
  if (!row.own) return;
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes];
    load_lanes(from, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] = expf(v[k] - most) * scale;
    store_lanes(y + row.index * n, i, n, aligned, v);
  }
}

// dx = y (dy - sum of dy y)
template <class T, int threads>
__global__ void __launch_bounds__(256)
    softmax_backward_kernel(const T* dy, const T* y, T* dx, Index rows, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  Row const row = Row::of_thread<threads>(rows);
  Index const at = row.index * n, first = row.lane * lanes;
  float total = 0.0f;
  for (Index i = first; i < n; i += threads * lanes) {
    float g[lanes], v[lanes];
    load_lanes(dy + at, i, n, aligned, g);
    load_lanes(y + at, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) total = fmaf(g[k], v[k], total);
  }
  total = row_sum<threads>(total, scratch);
  if (!row.own) return;
  for (Index i = first; i < n; i += threads * lanes) {
    float g[lanes], v[lanes];
    load_lanes(dy + at, i, n, aligned, g);
    load_lanes(y + at, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) g[k] = v[k] * (g[k] - total);
    store_lanes(dx + at, i, n, aligned, g);
  }
}

}  // namespace stipple::cuda
