#include <stipple/backend/cuda/pool.hpp>

#include "launch.cuh"
#include "pool.cuh"
#include "sums.cuh"

namespace stipple::cuda {

namespace {

Index inputs(const PoolPlan& p) { return p.n * p.height * p.width * p.channels; }
Index outputs(const PoolPlan& p) { return p.n * p.out_height * p.out_width * p.channels; }

template <class T>
LaunchShape pool_shape(Index n, bool whole) {
  return whole ? strided_packs<lanes_of<T>>(n) : strided(n);
}

}  // namespace

template <class T>
void avg_pool(Pointer<const T> x, Pointer<T> y, const PoolPlan& plan, bool counts_padding) {
  if (outputs(plan) == 0) return;
  bool const whole = plan.channels % lanes_of<T> == 0 && aligned(x.address(), y.address());
  launch("avg_pool", whole ? avg_pool_kernel<T, true> : avg_pool_kernel<T, false>, pool_shape<T>(outputs(plan), whole),
         x.address(), y.address(), plan, counts_padding);
}

template <class T>
void avg_pool_backward(Pointer<const T> dy, Pointer<T> dx, const PoolPlan& plan, bool counts_padding) {
  if (inputs(plan) == 0) return;
  bool const whole = plan.channels % lanes_of<T> == 0 && aligned(dy.address(), dx.address());
  launch("avg_pool_backward", whole ? avg_pool_backward_kernel<T, true> : avg_pool_backward_kernel<T, false>,
         pool_shape<T>(inputs(plan), whole), dy.address(), dx.address(), plan, counts_padding);
}

template <class T>
void max_pool(Pointer<const T> x, Pointer<T> y, const PoolPlan& plan) {
  if (outputs(plan) == 0) return;
  bool const whole = plan.channels % lanes_of<T> == 0 && aligned(x.address(), y.address());
  launch("max_pool", whole ? max_pool_kernel<T, true> : max_pool_kernel<T, false>, pool_shape<T>(outputs(plan), whole),
         x.address(), y.address(), plan);
}

template <class T>
void max_pool_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const T> y, Pointer<T> dx,
                       const PoolPlan& plan) {
  if (inputs(plan) == 0) return;
  bool const whole = plan.channels % lanes_of<T> == 0 && aligned(dy.address(), x.address(), y.address(), dx.address());
  launch("max_pool_backward", whole ? max_pool_backward_kernel<T, true> : max_pool_backward_kernel<T, false>,
         pool_shape<T>(inputs(plan), whole), dy.address(), x.address(), y.address(), dx.address(), plan);
}

template <class T>
void global_avg_pool(Pointer<const T> x, Pointer<T> y, Index n, Index pixels, Index channels) {
  if (n * channels == 0) return;
  Workspace<float> sums(n * channels);
  sum_middle<T, float>("global_avg_pool", x.address(), nullptr, sums.data(), {n, pixels, channels});
  launch("global_avg_pool", share_kernel<T>, strided(n * channels), sums.data(), 1.0f / static_cast<float>(pixels),
         y.address(), n * channels);
}

template <class T>
void global_avg_pool_backward(Pointer<const T> dy, Pointer<T> dx, Index n, Index pixels, Index channels) {
  if (n * channels == 0) return;
  bool const whole = channels % lanes_of<T> == 0 && aligned(dy.address(), dx.address());
  launch("global_avg_pool_backward", whole ? spread_kernel<T, true> : spread_kernel<T, false>,
         pool_shape<T>(n * pixels * channels, whole), dy.address(), 1.0f / static_cast<float>(pixels), dx.address(), n,
         pixels, channels);
}

#define STIPPLE_INSTANCES(T)                                                                           \
  template void avg_pool<T>(Pointer<const T>, Pointer<T>, const PoolPlan&, bool);                      \
  template void avg_pool_backward<T>(Pointer<const T>, Pointer<T>, const PoolPlan&, bool);             \
  template void max_pool<T>(Pointer<const T>, Pointer<T>, const PoolPlan&);                            \
  template void max_pool_backward<T>(Pointer<const T>, Pointer<const T>, Pointer<const T>, Pointer<T>, \
                                     const PoolPlan&);                                                 \
  template void global_avg_pool<T>(Pointer<const T>, Pointer<T>, Index, Index, Index);                 \
  template void global_avg_pool_backward<T>(Pointer<const T>, Pointer<T>, Index, Index, Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
