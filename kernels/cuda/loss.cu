#include <stipple/backend/cuda/loss.hpp>

#include "launch.cuh"
#include "loss.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

template <class T, class U>
void loss_sum(LossKind kind, float parameter, Pointer<const T> x, Pointer<const U> y, double weight, Pointer<float> out,
              Index n) {
  constexpr Index size = 16 * 1024;  // elements that a block adds up
  Index const pieces = (n + size - 1) / size;
  Workspace<float> parts(pieces);
  if (n > 0) {
    with_loss(kind, [&]<class F>(F) {
      launch("loss", loss_pieces_kernel<T, U, F>, {dim3(grid_extent("loss", pieces)), dim3(256)}, parameter,
             x.address(), y.address(), parts.data(), n, size, aligned(x.address()) && aligned(y.address()));
    });
  }
  launch("loss", loss_total_kernel, {dim3(1), dim3(256)}, parts.data(), pieces, static_cast<float>(weight),
         out.address());
}

template <class T, class U>
void loss_values(LossKind kind, float parameter, Pointer<const T> x, Pointer<const U> y, Pointer<float> out, Index n) {
  if (n == 0) return;
  with_loss(kind, [&]<class F>(F) {
    launch("loss", loss_values_kernel<T, U, F>, strided_packs<lanes_of<T, U>>(n), parameter, x.address(), y.address(),
           out.address(), n, aligned(x.address()) && aligned(y.address()) && aligned(out.address()));
  });
}

template <class T, class U, class O>
void loss_backward(LossKind kind, float parameter, Pointer<const T> x, Pointer<const U> y, Pointer<const float> dy,
                   bool common, float scale, Pointer<O> dx, Index n) {
  if (n == 0) return;
  bool const whole =
      aligned(x.address()) && aligned(y.address()) && aligned(dx.address()) && (common || aligned(dy.address()));
  with_loss(kind, [&]<class F>(F) {
    launch("loss_backward", loss_backward_kernel<T, U, O, F>, strided_packs<lanes_of<T, U>>(n), parameter, x.address(),
           y.address(), dy.address(), common, scale, dx.address(), n, whole);
  });
}

template <class T>
void cross_entropy(Pointer<const T> x, Pointer<const std::int32_t> labels, float smoothing, Pointer<float> losses,
                   Pointer<float> normalisers, Index rows, Index classes) {
  if (rows == 0) return;
  launch("cross_entropy", cross_entropy_kernel<T>, warp_shape(rows), x.address(), labels.address(), smoothing,
         losses.address(), normalisers.address(), rows, classes);
}

template <class T>
void cross_entropy_backward(Pointer<const T> x, Pointer<const std::int32_t> labels, float smoothing,
                            Pointer<const float> normalisers, Pointer<const float> dy, bool common, float scale,
                            Pointer<T> dx, Index rows, Index classes) {
  if (rows == 0) return;
  launch("cross_entropy_backward", cross_entropy_backward_kernel<T>, strided(rows * classes), x.address(),
         labels.address(), smoothing, normalisers.address(), dy.address(), common, scale, dx.address(), rows, classes);
}

#define STIPPLE_INSTANCES(T, U)                                                                                     \
  template void loss_sum<T, U>(LossKind, float, Pointer<const T>, Pointer<const U>, double, Pointer<float>, Index); \
  template void loss_values<T, U>(LossKind, float, Pointer<const T>, Pointer<const U>, Pointer<float>, Index);
STIPPLE_INSTANCES(float, float)
STIPPLE_INSTANCES(bf16, bf16)
STIPPLE_INSTANCES(bf16, float)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T, U, O)                                                                                \
  template void loss_backward<T, U, O>(LossKind, float, Pointer<const T>, Pointer<const U>, Pointer<const float>, \
                                       bool, float, Pointer<O>, Index);
STIPPLE_INSTANCES(float, float, float)
STIPPLE_INSTANCES(bf16, bf16, bf16)
STIPPLE_INSTANCES(bf16, bf16, float)
STIPPLE_INSTANCES(bf16, float, bf16)
STIPPLE_INSTANCES(bf16, float, float)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T)                                                                                           \
  template void cross_entropy<T>(Pointer<const T>, Pointer<const std::int32_t>, float, Pointer<float>, Pointer<float>, \
                                 Index, Index);                                                                        \
  template void cross_entropy_backward<T>(Pointer<const T>, Pointer<const std::int32_t>, float, Pointer<const float>,  \
                                          Pointer<const float>, bool, float, Pointer<T>, Index, Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
