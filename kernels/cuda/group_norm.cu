#include <stipple/backend/cuda/group_norm.hpp>

#include "channel_norm.hpp"
#include "group_norm.cuh"
#include "launch.cuh"
#include "slabs.cuh"
#include "sums.cuh"

namespace stipple::cuda {

template <class T>
void group_norm(Pointer<const T> x, Pointer<const float> weight, Pointer<const float> bias, Pointer<T> y,
                Pointer<float> mean, Pointer<float> rstd, Pointer<float> variance, NormShape shape, double eps,
                Activation activation) {
  if (shape.samples == 0) return;
  Slabs const s = slabs_of<T>(shape.samples, shape.pixels, shape.channels);
  bool const whole = shape.channels % lanes_of<T> == 0 && aligned(x.address());
  Workspace<float> moments(shape.samples * s.count * 2 * shape.channels);
  launch("group_norm", slab_moments_kernel<T>, column_shape<T>(s), x.address(), moments.data(), s, whole);
  launch("group_norm", merge_moments_kernel, warp_shape(shape.samples * shape.groups), moments.data(), mean.address(),
         rstd.address(), variance.address(), shape, s, static_cast<float>(eps));
  if (y)
    normalise("group_norm", x.address(), weight.address(), bias.address(), mean.address(), rstd.address(), y.address(),
              shape, s, activation);
}

template <class T>
void group_norm_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const float> weight,
                         Pointer<const float> bias, Pointer<const float> mean, Pointer<const float> rstd, Pointer<T> dx,
                         Pointer<float> dweight, Pointer<float> dbias, NormShape shape, Activation activation) {
  Index const channels = shape.channels, samples = shape.samples;
  Slabs const s = slabs_of<T>(shape.samples, shape.pixels, shape.channels);
  Workspace<float> sums(2 * samples * s.count * channels), of_sample(2 * samples * channels);
  Workspace<float> means(2 * samples * shape.groups);
  if (samples > 0) {
    constexpr const char* name = "group_norm_backward";
    slab_gradients(name, dy.address(), x.address(), weight.address(), bias.address(), mean.address(), rstd.address(),
                   sums.data(), shape, s, activation);
    sum_middle<float, float>(name, sums.data(), nullptr, of_sample.data(), {2 * samples, s.count, channels});
    launch(name, group_gradients_kernel, warp_shape(samples * shape.groups), of_sample.data(), weight.address(),
           means.data(), shape);
    input_gradient(name, dy.address(), x.address(), weight.address(), bias.address(), mean.address(), rstd.address(),
                   means.data(), dx.address(), shape, s, activation);
  }
  Broadcast const over_samples{1, samples, channels};
  if (dbias) sum_middle<float, float>("group_norm_backward", of_sample.data(), nullptr, dbias.address(), over_samples);
  if (dweight)
    sum_middle<float, float>("group_norm_backward", of_sample.data() + samples * channels, nullptr, dweight.address(),
                             over_samples);
}

#define STIPPLE_INSTANCES(T)                                                                                           \
  template void group_norm<T>(Pointer<const T>, Pointer<const float>, Pointer<const float>, Pointer<T>,                \
                              Pointer<float>, Pointer<float>, Pointer<float>, NormShape, double, Activation);          \
  template void group_norm_backward<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>, Pointer<const float>, \
                                       Pointer<const float>, Pointer<const float>, Pointer<T>, Pointer<float>,         \
                                       Pointer<float>, NormShape, Activation);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
