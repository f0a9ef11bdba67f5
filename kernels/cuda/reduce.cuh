#pragma once

#include "block.cuh"
#include "elementwise.cuh"

namespace stipple::cuda {

// out[b] = the largest element that block b meets
template <class T>
__global__ void __launch_bounds__(256) max_kernel(const T* x, float* out, Index n, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, 256 / warp_size);
  float most = to_float(x[0]);
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    float v[lanes];
    load_lanes(x, i, n, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k)
      if (i + k < n) most = larger(most, v[k]);
  }
  most = block_max(most, scratch);
  if (threadIdx.x == 0) out[blockIdx.x] = most;
}

}  // namespace stipple::cuda
