#include <stipple/backend/cuda/diffusion_update.hpp>

#include "diffusion_update.cuh"
#include "launch.cuh"

namespace stipple::cuda {

template <class T>
void diffusion_update(const UpdateWeights<T>& w, Pointer<const T> x, Pointer<const T> prediction,
                      const UpdateExtras<T, Cuda>& extras, Pointer<T> out, Pointer<T> x0, Index n) {
  static_assert(UpdateWeights<T>::max_extras == DiffusionStep::max_extras);
  if (n == 0) return;
  DiffusionStep step{w.x0_of_x, w.x0_of_prediction, w.clip, w.x, w.prediction, w.x0, {}, {}};
  for (std::size_t k = 0; k < extras.size(); ++k) {
    step.extra[k] = w.extra[k];
    step.extras[k] = extras[k].address();
  }
  bool const whole = aligned(x.address(), prediction.address(), out.address(), x0.address(), step.extras[0],
                             step.extras[1], step.extras[2]);
  launch("diffusion_update", diffusion_update_kernel, strided_packs<lanes_of<T>>(n), step, x.address(),
         prediction.address(), out.address(), x0.address(), n, whole);
}

template <class T, class U>
void mix_rows(Pointer<const U> a, Pointer<const U> x, Pointer<const U> b, Pointer<const U> y, Pointer<T> out,
              Index rows, Index row) {
  constexpr int lanes = lanes_of<T, U>;
  Index const n = rows * row;
  if (n == 0) return;
  bool const whole = row % lanes == 0 && aligned(x.address(), y.address()) && aligned(out.address());
  launch("mix_rows", whole ? mix_rows_kernel<T, true> : mix_rows_kernel<T, false>,
         whole ? strided_packs<lanes>(n) : strided(n), a.address(), x.address(), b.address(), y.address(),
         out.address(), rows, row);
}

template void diffusion_update<float>(const UpdateWeights<float>&, Pointer<const float>, Pointer<const float>,
                                      const UpdateExtras<float, Cuda>&, Pointer<float>, Pointer<float>, Index);
template void mix_rows<float, float>(Pointer<const float>, Pointer<const float>, Pointer<const float>,
                                     Pointer<const float>, Pointer<float>, Index, Index);
template void mix_rows<bf16, float>(Pointer<const float>, Pointer<const float>, Pointer<const float>,
                                    Pointer<const float>, Pointer<bf16>, Index, Index);

}  // namespace stipple::cuda
