#include <stipple/backend/cuda/softmax.hpp>

#include "launch.cuh"
#include "softmax.cuh"

namespace stipple::cuda {

template <class T>
void softmax(Pointer<const T> x, Pointer<T> y, Index rows, Index n) {
  if (rows == 0) return;
  launch("softmax", by_warps(n) ? softmax_kernel<T, 32> : softmax_kernel<T, 256>, row_shape(rows, n), x.address(),
         y.address(), rows, n, n % lanes_of<T> == 0 && aligned(x.address(), y.address()));
}

template <class T>
void softmax_backward(Pointer<const T> dy, Pointer<const T> y, Pointer<T> dx, Index rows, Index n) {
  if (rows == 0) return;
  launch("softmax_backward", by_warps(n) ? softmax_backward_kernel<T, 32> : softmax_backward_kernel<T, 256>,
         row_shape(rows, n), dy.address(), y.address(), dx.address(), rows, n,
         n % lanes_of<T> == 0 && aligned(dy.address(), y.address(), dx.address()));
}

#define STIPPLE_INSTANCES(T)                                            \
  template void softmax<T>(Pointer<const T>, Pointer<T>, Index, Index); \
  template void softmax_backward<T>(Pointer<const T>, Pointer<const T>, Pointer<T>, Index, Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
