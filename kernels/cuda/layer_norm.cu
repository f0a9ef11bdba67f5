#include <stipple/backend/cuda/layer_norm.hpp>

#include "launch.cuh"
#include "layer_norm.cuh"
#include "slabs.cuh"
#include "sums.cuh"

namespace stipple::cuda {

template <class T>
void layer_norm(Pointer<const T> x, Pointer<const float> weight, Pointer<const float> bias, Pointer<T> y,
                Pointer<float> mean, Pointer<float> rstd, Index rows, Index n, double eps) {
  if (rows == 0) return;
  launch("layer_norm", by_warps(n) ? layer_norm_kernel<T, 32> : layer_norm_kernel<T, 256>, row_shape(rows, n),
         x.address(), weight.address(), bias.address(), y.address(), mean.address(), rstd.address(), rows, n,
         static_cast<float>(eps), n % lanes_of<T> == 0 && aligned(x.address(), y.address()));
}

template <class T>
void layer_norm_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const float> weight,
                         Pointer<const float> mean, Pointer<const float> rstd, Pointer<T> dx, Pointer<float> dweight,
                         Pointer<float> dbias, Index rows, Index n) {
  bool const whole = n % lanes_of<T> == 0 && aligned(dy.address(), x.address(), dx.address());
  Slabs const s = slabs_of<T>(1, rows, n);
  Workspace<float> sums(2 * s.count * n);
  if (rows > 0) {
    launch("layer_norm_backward", by_warps(n) ? layer_norm_backward_kernel<T, 32> : layer_norm_backward_kernel<T, 256>,
           row_shape(rows, n), dy.address(), x.address(), weight.address(), mean.address(), rstd.address(),
           dx.address(), rows, n, whole);
    if (dweight || dbias)
      launch("layer_norm_backward", layer_norm_parameters_kernel<T>, column_shape<T>(s), dy.address(), x.address(),
             mean.address(), rstd.address(), sums.data(), s, whole);
  }
  Broadcast const over_slabs{1, s.count, n};
  if (dbias) sum_middle<float, float>("layer_norm_backward", sums.data(), nullptr, dbias.address(), over_slabs);
  if (dweight)
    sum_middle<float, float>("layer_norm_backward", sums.data() + s.count * n, nullptr, dweight.address(), over_slabs);
}

#define STIPPLE_INSTANCES(T)                                                                                           \
  template void layer_norm<T>(Pointer<const T>, Pointer<const float>, Pointer<const float>, Pointer<T>,                \
                              Pointer<float>, Pointer<float>, Index, Index, double);                                   \
  template void layer_norm_backward<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>, Pointer<const float>, \
                                       Pointer<const float>, Pointer<T>, Pointer<float>, Pointer<float>, Index,        \
                                       Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
