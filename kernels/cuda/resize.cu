#include <stipple/backend/cuda/resize.hpp>

#include "launch.cuh"
#include "resize.cuh"

namespace stipple::cuda {

namespace {

ResizeAxis axis(Index in, Index out, const ResizePlan& plan) {
  double const corners = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
  return {in,
          out,
          plan.bilinear,
          plan.align_corners,
          static_cast<float>(in) / static_cast<float>(out),
          plan.align_corners ? corners : static_cast<double>(in) / static_cast<double>(out)};
}

}  // namespace

template <class T>
void resize(Pointer<const T> x, Pointer<T> y, const ResizePlan& plan) {
  constexpr int lanes = lanes_of<T>;
  Index const n = plan.n * plan.out_height * plan.out_width * plan.channels;
  if (n == 0) return;
  bool const whole = plan.channels % lanes == 0 && aligned(x.address(), y.address());
  launch("resize", whole ? resize_kernel<T, true> : resize_kernel<T, false>,
         whole ? strided_packs<lanes>(n) : strided(n), x.address(), y.address(), plan.n, plan.channels,
         axis(plan.height, plan.out_height, plan), axis(plan.width, plan.out_width, plan));
}

template <class T>
void resize_backward(Pointer<const T> dy, Pointer<T> dx, const ResizePlan& plan) {
  constexpr int lanes = lanes_of<T>;
  Index const n = plan.n * plan.height * plan.width * plan.channels;
  if (n == 0) return;
  bool const whole = plan.channels % lanes == 0 && aligned(dy.address(), dx.address());
  launch("resize_backward", whole ? resize_backward_kernel<T, true> : resize_backward_kernel<T, false>,
         whole ? strided_packs<lanes>(n) : strided(n), dy.address(), dx.address(), plan.n, plan.channels,
         axis(plan.height, plan.out_height, plan), axis(plan.width, plan.out_width, plan));
}

#define STIPPLE_INSTANCES(T)                                                \
  template void resize<T>(Pointer<const T>, Pointer<T>, const ResizePlan&); \
  template void resize_backward<T>(Pointer<const T>, Pointer<T>, const ResizePlan&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
