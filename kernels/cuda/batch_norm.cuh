#pragma once

#include <cmath>

#include "elementwise.cuh"

namespace stipple::cuda {

__global__ void __launch_bounds__(256)
    inverse_deviations_kernel(const float* variance, float* rstd, float eps, Index n) {
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) rstd[i] = 1.0f / sqrtf(variance[i] + eps);
}

// running = keep running + share batch
__global__ void __launch_bounds__(256)
    update_running_kernel(float* running, const float* batch, float keep, float share, Index n) {
  for (Index i = first_element<1>(); i < n; i += element_stride<1>())
    running[i] = fmaf(keep, running[i], share * batch[i]);
}

}  // namespace stipple::cuda
