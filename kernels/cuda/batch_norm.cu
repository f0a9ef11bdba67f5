#include <stipple/backend/cuda/batch_norm.hpp>

#include "batch_norm.cuh"
#include "channel_norm.hpp"
#include "launch.cuh"
#include "slabs.cuh"
#include "sums.cuh"

namespace stipple::cuda {

template <class T>
void batch_norm_given(Pointer<const T> x, Pointer<const float> mean, Pointer<const float> rstd,
                      Pointer<const float> weight, Pointer<const float> bias, Pointer<T> y, NormShape shape,
                      Activation activation) {
  if (shape.pixels == 0) return;
  normalise("batch_norm", x.address(), weight.address(), bias.address(), mean.address(), rstd.address(), y.address(),
            shape, slabs_of<T>(1, shape.pixels, shape.channels), activation);
}

template <class T>
void batch_norm_given_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const float> mean,
                               Pointer<const float> rstd, Pointer<const float> weight, Pointer<const float> bias,
                               Pointer<T> dx, Pointer<float> dweight, Pointer<float> dbias, NormShape shape,
                               Activation activation) {
  Index const channels = shape.channels;
  Slabs const s = slabs_of<T>(1, shape.pixels, channels);
  Workspace<float> sums(2 * s.count * channels);
  if (shape.pixels > 0) {
    constexpr const char* name = "batch_norm_backward";
    if (dweight || dbias)
      slab_gradients(name, dy.address(), x.address(), weight.address(), bias.address(), mean.address(), rstd.address(),
                     sums.data(), shape, s, activation);
    input_gradient(name, dy.address(), x.address(), weight.address(), bias.address(), mean.address(), rstd.address(),
                   nullptr, dx.address(), shape, s, activation);
  }
  Broadcast const over_slabs{1, s.count, channels};
  if (dbias) sum_middle<float, float>("batch_norm_backward", sums.data(), nullptr, dbias.address(), over_slabs);
  if (dweight)
    sum_middle<float, float>("batch_norm_backward", sums.data() + s.count * channels, nullptr, dweight.address(),
                             over_slabs);
}

void inverse_deviations(Pointer<const float> variance, Pointer<float> rstd, double eps, Index n) {
  launch("batch_norm", inverse_deviations_kernel, strided(n), variance.address(), rstd.address(),
         static_cast<float>(eps), n);
}

void update_running(Pointer<float> running, Pointer<const float> batch, double momentum, double scale, Index n) {
  if (n == 0) return;
  launch("update_running_statistics", update_running_kernel, strided(n), running.address(), batch.address(),
         static_cast<float>(1 - momentum), static_cast<float>(momentum * scale), n);
}

#define STIPPLE_INSTANCES(T)                                                                                        \
  template void batch_norm_given<T>(Pointer<const T>, Pointer<const float>, Pointer<const float>,                   \
                                    Pointer<const float>, Pointer<const float>, Pointer<T>, NormShape, Activation); \
  template void batch_norm_given_backward<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>,              \
                                             Pointer<const float>, Pointer<const float>, Pointer<const float>,      \
                                             Pointer<T>, Pointer<float>, Pointer<float>, NormShape, Activation);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
