#pragma once

#include <cmath>

#include "rows.cuh"

namespace stipple::cuda {

// Threads of a row read it three times: for the mean, for the squares about it, and to normalise it. After the first
// time it comes from a cache.
template <class T, int threads>
__global__ void __launch_bounds__(256)
    layer_norm_kernel(const T* x, const float* weight, const float* bias, T* y, float* mean, float* rstd, Index rows,
                      Index n, float eps, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  Row const row = Row::of_thread<threads>(rows);
  const T* const from = x + row.index * n;
  Index const first = row.lane * lanes;
  float total = 0.0f, squares = 0.0f;
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes];
    load_lanes(from, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) total += v[k];
  }
  float const centre = row_sum<threads>(total, scratch) / static_cast<float>(n);
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes];
    load_lanes(from, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k)
      if (i + k < n) squares = fmaf(v[k] - centre, v[k] - centre, squares);
  }
  float const scale = 1.0f / sqrtf(row_sum<threads>(squares, scratch) / static_cast<float>(n) + eps);
  if (!row.own) return;
  if (row.lane == 0) {
    mean[row.index] = centre;
    rstd[row.index] = scale;
  }
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes];
    load_lanes(from, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) {
      if (i + k >= n) continue;
      float const w = weight == nullptr ? 1.0f : weight[i + k], b = bias == nullptr ? 0.0f : bias[i + k];
      v[k] = fmaf((v[k] - centre) * scale, w, b);
    }
    store_lanes(y + row.index * n, i, n, aligned, v);
  }
}

// With g = dy weight and xhat = (x - mean) rstd, dx = rstd (g - mean(g) - xhat mean(g xhat)).
template <class T, int threads>
__global__ void __launch_bounds__(256)
    layer_norm_backward_kernel(const T* dy, const T* x, const float* weight, const float* mean, const float* rstd,
                               T* dx, Index rows, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  Row const row = Row::of_thread<threads>(rows);
  Index const at = row.index * n, first = row.lane * lanes;
  float const centre = mean[row.index], scale = rstd[row.index];
  float total = 0.0f, along = 0.0f;
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes], g[lanes];
    load_lanes(x + at, i, n, aligned, v);
    load_lanes(dy + at, i, n, aligned, g);
#pragma unroll
    for (int k = 0; k < lanes; ++k) {
      if (weight != nullptr && i + k < n) g[k] *= weight[i + k];
      total += g[k];
      along = fmaf(g[k], (v[k] - centre) * scale, along);
    }
  }
  total = row_sum<threads>(total, scratch) / static_cast<float>(n);
  along = row_sum<threads>(along, scratch) / static_cast<float>(n);
  if (!row.own) return;
  for (Index i = first; i < n; i += threads * lanes) {
    float v[lanes], g[lanes];
    load_lanes(x + at, i, n, aligned, v);
    load_lanes(dy + at, i, n, aligned, g);
#pragma unroll
    for (int k = 0; k < lanes; ++k) {
      if (weight != nullptr && i + k < n) g[k] *= weight[i + k];
      g[k] = scale * (g[k] - total - (v[k] - centre) * scale * along);
    }
    store_lanes(dx + at, i, n, aligned, g);
  }
}

// Sums over a slab of rows, (2, slabs, n): of dy, and of dy xhat. Blocks as in columns.cuh, with rows for pixels.
template <class T>
__global__ void __launch_bounds__(256)
    layer_norm_parameters_kernel(const T* dy, const T* x, const float* mean, const float* rstd, float* sums, Slabs s,
                                 bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, column_threads* lanes);
  Columns const at = Columns::of_thread<lanes>(s);
  float total[lanes] = {}, along[lanes] = {};
  if (at.inside) {
    for (Index r = at.pixel; r < at.end; r += blockDim.y) {
      float const centre = mean[r], scale = rstd[r];
      float v[lanes], g[lanes];
      load_lanes(x + r * s.channels, at.channel, s.channels, aligned, v);
      load_lanes(dy + r * s.channels, at.channel, s.channels, aligned, g);
#pragma unroll
      for (int k = 0; k < lanes; ++k) {
        total[k] += g[k];
        along[k] = fmaf(g[k], (v[k] - centre) * scale, along[k]);
      }
    }
  }
  sum_over_pixels(total, scratch);
  sum_over_pixels(along, scratch);
  if (threadIdx.y == 0 && at.inside) {
    store_lanes(sums + at.slab * s.channels, at.channel, s.channels, false, total);
    store_lanes(sums + (s.count + at.slab) * s.channels, at.channel, s.channels, false, along);
  }
}

}  // namespace stipple::cuda
