#include <stipple/backend/cuda/activation.hpp>

#include "activation.cuh"
#include "launch.cuh"

namespace stipple::cuda {

template <class T>
void activate(Activation kind, Pointer<const T> x, Pointer<T> y, Index n) {
  if (n == 0) return;
  with_activation(kind, [&]<class F>(F) {
    launch("activate", activate_kernel<T, F>, strided_packs<lanes_of<T>>(n), x.address(), y.address(), n,
           aligned(x.address(), y.address()));
  });
}

template <class T>
void activate_backward(Activation kind, Pointer<const T> dy, Pointer<const T> x, Pointer<T> dx, Index n) {
  if (n == 0) return;
  with_activation(kind, [&]<class F>(F) {
    launch("activate_backward", activate_backward_kernel<T, F>, strided_packs<lanes_of<T>>(n), dy.address(),
           x.address(), dx.address(), n, aligned(dy.address(), x.address(), dx.address()));
  });
}

#define STIPPLE_INSTANCES(T)                                                  \
  template void activate<T>(Activation, Pointer<const T>, Pointer<T>, Index); \
  template void activate_backward<T>(Activation, Pointer<const T>, Pointer<const T>, Pointer<T>, Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
