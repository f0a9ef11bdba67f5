#pragma once

#include <cmath>
#include <cstdint>

#include <stipple/backend/loss_kind.hpp>

#include "rows.cuh"

namespace stipple::cuda {

// Losses of a difference d with a parameter p, and their derivatives; see LossKind. A NaN stays one.
struct MseLoss {
  static __device__ __forceinline__ float value(float d, float) { return d * d; }
  static __device__ __forceinline__ float slope(float d, float) { return d + d; }
};
struct L1Loss {
  static __device__ __forceinline__ float value(float d, float) { return fabsf(d); }
  static __device__ __forceinline__ float slope(float d, float) { return d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d; }
};
struct HuberLoss {
  static __device__ __forceinline__ float value(float d, float p) {
    float const a = fabsf(d);
    return a > p ? p * (a - 0.5f * p) : 0.5f * d * d;
  }
  static __device__ __forceinline__ float slope(float d, float p) { return d > p ? p : d < -p ? -p : d; }
};
struct SmoothL1Loss {
  static __device__ __forceinline__ float value(float d, float p) {
    float const a = fabsf(d);
    return a < p ? 0.5f * d * d / p : a - 0.5f * p;
  }
  static __device__ __forceinline__ float slope(float d, float p) { return fabsf(d) < p ? d / p : L1Loss::slope(d, p); }
};

/// Calls f with the functor of a loss.
template <class F>
void with_loss(LossKind kind, const F& f) {
  switch (kind) {
    case LossKind::mse:
      return f(MseLoss{});
    case LossKind::l1:
      return f(L1Loss{});
    case LossKind::huber:
      return f(HuberLoss{});
    case LossKind::smooth_l1:
      return f(SmoothL1Loss{});
  }
}

// parts[b] = the sum of losses of piece b, of `size` elements
template <class T, class U, class F>
__global__ void __launch_bounds__(256)
    loss_pieces_kernel(float parameter, const T* x, const U* y, float* parts, Index n, Index size, bool aligned) {
  constexpr int lanes = lanes_of<T, U>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  Index const first = blockIdx.x * size, last = first + size < n ? first + size : n;
  float total = 0.0f;
  for (Index i = first + threadIdx.x * lanes; i < last; i += 256 * lanes) {
    float a[lanes], b[lanes];
    load_lanes(x, i, last, aligned, a);
    load_lanes(y, i, last, aligned, b);
#pragma unroll
    for (int k = 0; k < lanes; ++k) total += F::value(a[k] - b[k], parameter);  // zero behind the end
  }
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

// out[0] = weight times the sum of the parts. One block.
__global__ void __launch_bounds__(256) loss_total_kernel(const float* parts, Index n, float weight, float* out) {
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  float total = 0.0f;
  for (Index i = threadIdx.x; i < n; i += 256) total += parts[i];
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) out[0] = weight * total;
}

template <class T, class U, class F>
__global__ void __launch_bounds__(256)
    loss_values_kernel(float parameter, const T* x, const U* y, float* out, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T, U>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float a[lanes], b[lanes];
    load_lanes(x, i, n, aligned, a);
    load_lanes(y, i, n, aligned, b);
#pragma unroll
    for (int k = 0; k < lanes; ++k) a[k] = F::value(a[k] - b[k], parameter);
    store_lanes(out, i, n, aligned, a);
  }
}

template <class T, class U, class O, class F>
__global__ void __launch_bounds__(256) loss_backward_kernel(float parameter, const T* x, const U* y, const float* dy,
                                                            bool common, float scale, O* dx, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T, U>;
  float const factor = common ? scale * dy[0] : scale;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float a[lanes], b[lanes];
    load_lanes(x, i, n, aligned, a);
    load_lanes(y, i, n, aligned, b);
#pragma unroll
    for (int k = 0; k < lanes; ++k) a[k] = factor * F::slope(a[k] - b[k], parameter);
    if (!common) {
      load_lanes(dy, i, n, aligned, b);
#pragma unroll
      for (int k = 0; k < lanes; ++k) a[k] *= b[k];
    }
    store_lanes(dx, i, n, aligned, a);
  }
}

// With logits relative to the largest: loss = log total - (1 - smoothing) x[label] - smoothing mean(x). A warp a row.
template <class T>
__global__ void __launch_bounds__(256)
    cross_entropy_kernel(const T* x, const std::int32_t* labels, float smoothing, float* losses, float* normalisers,
                         Index rows, Index classes) {
  Row const row = Row::of_thread<warp_size>(rows);
  const T* const from = x + row.index * classes;
  float most = to_float(from[0]);
  for (Index c = row.lane; c < classes; c += warp_size) most = larger(most, to_float(from[c]));
  most = warp_max(most);
  float total = 0.0f, logits = 0.0f;
  for (Index c = row.lane; c < classes; c += warp_size) {
    float const v = to_float(from[c]) - most;
    total += expf(v);
    logits += v;
  }
  float const log_total = logf(warp_sum(total));
  logits = warp_sum(logits);
  if (!row.own || row.lane != 0) return;
  std::int32_t const label = labels[row.index];
  bool const exists = label >= 0 && label < classes;
  float loss = log_total - (1.0f - smoothing) * (exists ? to_float(from[label]) - most : NAN);
  if (smoothing != 0.0f) loss -= smoothing * logits / static_cast<float>(classes);
  losses[row.index] = loss;
  normalisers[row.index] = most + log_total;
}

template <class T>
__global__ void __launch_bounds__(256)
    cross_entropy_backward_kernel(const T* x, const std::int32_t* labels, float smoothing, const float* normalisers,
                                  const float* dy, bool common, float scale, T* dx, Index rows, Index classes) {
  Index const n = rows * classes;
  float const base = smoothing / static_cast<float>(classes);
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) {
    Index const row = quotient(i, classes), label = labels[row];
    float const g = label >= 0 && label < classes ? scale * dy[common ? 0 : row] : NAN;
    float const wanted = i - row * classes == label ? base + (1.0f - smoothing) : base;
    dx[i] = from_float<T>((expf(to_float(x[i]) - normalisers[row]) - wanted) * g);
  }
}

}  // namespace stipple::cuda
