#pragma once

#include <cmath>

#include <stipple/backend/optimizer_update.hpp>

#include "block.cuh"
#include "elementwise.cuh"

namespace stipple::cuda {

/// Elements of the arenas that a thread does at a time: 16 bytes of the working copy.
inline constexpr int arena_lanes = 8;

// A NaN where the gradient is not finite: the update is left out then.
__device__ __forceinline__ float gradient_scale_of(const OptimizerArrays<float>& a) {
  return a.gradient_scale != nullptr ? static_cast<float>(*a.gradient_scale) : 1.0f;
}

// What both updates do behind their own formula. n is a multiple of `arena_lanes`.
__device__ __forceinline__ void store_weights(const OptimizerArrays<float>& a, float average_rate, Index i, Index n,
                                              bool aligned, const float (&w)[arena_lanes]) {
  store_lanes(a.weights, i, n, aligned, w);
  if (a.working != nullptr) store_lanes(a.working, i, n, aligned, w);
  if (a.average != nullptr) {
    float average[arena_lanes];
    load_lanes(a.average, i, n, aligned, average);
#pragma unroll
    for (int k = 0; k < arena_lanes; ++k) average[k] = fmaf(w[k] - average[k], average_rate, average[k]);
    store_lanes(a.average, i, n, aligned, average);
  }
}

__global__ void __launch_bounds__(256)
    adam_kernel(const AdamUpdate<float>* settings, OptimizerArrays<float> a, Index n, bool aligned) {
  AdamUpdate<float> const u = *settings;
  float const gradient_scale = gradient_scale_of(a);
  if (gradient_scale != gradient_scale) return;
  for (Index i = first_element<arena_lanes>(); i < n; i += element_stride<arena_lanes>()) {
    float w[arena_lanes], g[arena_lanes], m[arena_lanes], v[arena_lanes], largest[arena_lanes];
    load_lanes(a.weights, i, n, aligned, w);
    load_lanes(a.gradients, i, n, aligned, g);
    load_lanes(a.moments[0], i, n, aligned, m);
    load_lanes(a.moments[1], i, n, aligned, v);
    if (a.moments[2] != nullptr) load_lanes(a.moments[2], i, n, aligned, largest);
#pragma unroll
    for (int k = 0; k < arena_lanes; ++k) {
      g[k] = fmaf(w[k], u.l2, g[k] * gradient_scale);
      m[k] = fmaf(g[k] - m[k], u.rate1, m[k]);
      v[k] = fmaf(g[k] * g[k], u.rate2, v[k] * u.beta2);
      largest[k] = a.moments[2] != nullptr ? larger(v[k], largest[k]) : v[k];  // AMSGrad
      w[k] = w[k] * u.keep - u.step_size * m[k] / fmaf(sqrtf(largest[k]), u.root_scale, u.epsilon);
    }
    store_lanes(a.moments[0], i, n, aligned, m);
    store_lanes(a.moments[1], i, n, aligned, v);
    if (a.moments[2] != nullptr) store_lanes(a.moments[2], i, n, aligned, largest);
    store_weights(a, u.average_rate, i, n, aligned, w);
  }
}

__global__ void __launch_bounds__(256)
    sgd_kernel(const SgdUpdate<float>* settings, OptimizerArrays<float> a, Index n, bool aligned) {
  SgdUpdate<float> const u = *settings;
  float const gradient_scale = gradient_scale_of(a);
  if (gradient_scale != gradient_scale) return;
  for (Index i = first_element<arena_lanes>(); i < n; i += element_stride<arena_lanes>()) {
    float w[arena_lanes], g[arena_lanes], m[arena_lanes] = {};
    load_lanes(a.weights, i, n, aligned, w);
    load_lanes(a.gradients, i, n, aligned, g);
    if (a.moments[0] != nullptr) load_lanes(a.moments[0], i, n, aligned, m);
#pragma unroll
    for (int k = 0; k < arena_lanes; ++k) {
      g[k] = fmaf(w[k], u.l2, g[k] * gradient_scale);
      m[k] = fmaf(m[k], u.momentum, g[k]);  // without momentum g itself
      w[k] = fmaf(u.nesterov ? fmaf(m[k], u.momentum, g[k]) : m[k], -u.learning_rate, w[k]);
    }
    if (a.moments[0] != nullptr) store_lanes(a.moments[0], i, n, aligned, m);
    store_weights(a, u.average_rate, i, n, aligned, w);
  }
}

// parts[b] = the sum of squares of piece b, of `size` elements; in double, because squares may leave the range of float
__global__ void __launch_bounds__(256)
    squares_kernel(const float* x, double* parts, Index n, Index size, bool aligned) {
  constexpr int lanes = lanes_of<float>;
  STIPPLE_SHARED(double, scratch, 256 / warp_size);
  Index const first = blockIdx.x * size, last = first + size < n ? first + size : n;
  double total = 0;
  for (Index i = first + threadIdx.x * lanes; i < last; i += 256 * lanes) {
    float v[lanes];
    load_lanes(x, i, last, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) total += static_cast<double>(v[k]) * static_cast<double>(v[k]);
  }
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// The sum of the parts; thread 0 has it. One block.
__device__ __forceinline__ double total_of(const double* parts, Index n, double* scratch) {
  double total = 0;
  for (Index i = threadIdx.x; i < n; i += 256) total += parts[i];
  return block_sum(total, scratch);
}

// out[0] = the sum of the parts.
__global__ void __launch_bounds__(256) squares_total_kernel(const double* parts, Index n, double* out) {
  STIPPLE_SHARED(double, scratch, 256 / warp_size);
  double const total = total_of(parts, n, scratch);
  if (threadIdx.x == 0) out[0] = total;
}

// out[0] = the root of the sum of the parts, out[1] = its clip_factor.
__global__ void __launch_bounds__(256) clip_norm_kernel(const double* parts, Index n, double max_norm, double* out) {
  STIPPLE_SHARED(double, scratch, 256 / warp_size);
  double const norm = sqrt(total_of(parts, n, scratch));
  if (threadIdx.x == 0) {
    out[0] = norm;
    out[1] = clip_factor(norm, max_norm);
  }
}

}  // namespace stipple::cuda
