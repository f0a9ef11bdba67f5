#include <stipple/backend/cuda/dropout.hpp>

#include "dropout.cuh"
#include "launch.cuh"
#include "recorded_key.hpp"

namespace stipple::cuda {

template <class T>
void dropout(Pointer<const T> x, Pointer<T> y, Index samples, Index size, const DropoutPlan& plan) {
  Index const groups = (size + dropout_group - 1) / dropout_group;
  if (samples * groups == 0) return;
  launch("dropout", dropout_kernel<T>, strided(samples * groups * 16), x.address(), y.address(), samples, size,
         recorded(plan.key), plan.threshold, plan.scale, size % 8 == 0 && aligned(x.address(), y.address()));
}

template void dropout<float>(Pointer<const float>, Pointer<float>, Index, Index, const DropoutPlan&);
template void dropout<bf16>(Pointer<const bf16>, Pointer<bf16>, Index, Index, const DropoutPlan&);

}  // namespace stipple::cuda
