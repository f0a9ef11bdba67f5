#include <stipple/backend/cuda/pad.hpp>

#include "launch.cuh"
#include "pad.cuh"

namespace stipple::cuda {

template <class T>
void pad(Pointer<const T> x, Pointer<T> y, const PadPlan& plan, T value) {
  constexpr int lanes = lanes_of<T>;
  Index const n = plan.n * plan.out_height * plan.out_width * plan.channels;
  if (n == 0) return;
  bool const whole = plan.channels % lanes == 0 && aligned(x.address(), y.address());
  launch("pad", whole ? pad_kernel<T, true> : pad_kernel<T, false>, whole ? strided_packs<lanes>(n) : strided(n),
         x.address(), y.address(), plan, static_cast<float>(value));
}

template void pad<float>(Pointer<const float>, Pointer<float>, const PadPlan&, float);
template void pad<bf16>(Pointer<const bf16>, Pointer<bf16>, const PadPlan&, bf16);

}  // namespace stipple::cuda
