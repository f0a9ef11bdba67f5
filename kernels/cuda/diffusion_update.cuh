#pragma once

#include "elementwise.cuh"

namespace stipple::cuda {

// UpdateWeights and its extras; those behind the last are null.
struct DiffusionStep {
  static constexpr int max_extras = 3;
  float x0_of_x, x0_of_prediction, clip, x, prediction, x0, extra[max_extras];
  const float* extras[max_extras];
};

// clamp(value, -limit, limit); a NaN stays one.
__device__ __forceinline__ float bounded(float limit, float value) {
  return value > limit ? limit : value < -limit ? -limit : value;
}

__global__ void __launch_bounds__(256)
    diffusion_update_kernel(DiffusionStep step, const float* x, const float* prediction, float* out, float* x0, Index n,
                            bool aligned) {
  constexpr int lanes = lanes_of<float>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes], p[lanes], data[lanes];
    load_lanes(x, i, n, aligned, v);
    load_lanes(prediction, i, n, aligned, p);
#pragma unroll
    for (int k = 0; k < lanes; ++k) {
      data[k] = bounded(step.clip, fmaf(step.x0_of_x, v[k], step.x0_of_prediction * p[k]));
      v[k] = fmaf(step.x0, data[k], fmaf(step.x, v[k], step.prediction * p[k]));
    }
#pragma unroll
    for (int e = 0; e < DiffusionStep::max_extras; ++e) {
      if (step.extras[e] == nullptr) break;
      float more[lanes];
      load_lanes(step.extras[e], i, n, aligned, more);
#pragma unroll
      for (int k = 0; k < lanes; ++k) v[k] = fmaf(step.extra[e], more[k], v[k]);
    }
    store_lanes(out, i, n, aligned, v);
    if (x0 != nullptr) store_lanes(x0, i, n, aligned, data);
  }
}

// out[i, j] = a[i] x[i, j] + b[i] y[i, j]. With `whole`, rows are whole vectors and threads take one at a time.
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    mix_rows_kernel(const float* a, const float* x, const float* b, const float* y, T* out, Index rows, Index row) {
  constexpr int lanes = whole ? lanes_of<T, float> : 1;
  Index const n = rows * row;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Index const r = quotient(i, row);
    float const of_x = a[r], of_y = b[r];
    float v[lanes], w[lanes];
    load_lanes(x, i, n, whole, v);
    load_lanes(y, i, n, whole, w);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] = fmaf(of_x, v[k], of_y * w[k]);
    store_lanes(out, i, n, whole, v);
  }
}

}  // namespace stipple::cuda
