#pragma once

#include "activation_functors.cuh"
#include "elementwise.cuh"

namespace stipple::cuda {

// y[i] = f(x[i])
template <class T, class F>
__global__ void __launch_bounds__(256) activate_kernel(const T* x, T* y, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes];
    load_lanes(x, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] = F::value(v[k]);
    store_lanes(y, i, n, aligned, v);
  }
}

// dx[i] = dy[i] f'(x[i])
template <class T, class F>
__global__ void __launch_bounds__(256) activate_backward_kernel(const T* dy, const T* x, T* dx, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes], g[lanes];
    load_lanes(x, i, n, aligned, v);
    load_lanes(dy, i, n, aligned, g);
#pragma unroll
    for (int k = 0; k < lanes; ++k) g[k] *= F::derivative(v[k]);
    store_lanes(dx, i, n, aligned, g);
  }
}

}  // namespace stipple::cuda
