// CPU kernels of maximum pooling. Average pooling is a resampling, see resize.hpp.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/backend/pool_plan.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::cpu {

/// y = the largest of each window; a NaN counts as the largest.
template <class T>
void max_pool(const T* x, T* y, const PoolPlan& plan);
/// dx from dy: each window hands its gradient to the first of its pixels, in rows, that equals its maximum y.
template <class T>
void max_pool_backward(const T* dy, const T* x, const T* y, T* dx, const PoolPlan& plan);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/pool.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void max_pool(const T* x, T* y, const PoolPlan& plan) {
  Index const cost = std::max<Index>(1, plan.out_width * plan.channels * plan.kernel * plan.kernel);
  parallel_for(plan.n * plan.out_height, std::max<Index>(1, 16 * 1024 / cost), [=](Index begin, Index end) {
    for (Index o = begin; o < end; ++o) {
      const T* const image = x + o / plan.out_height * plan.height * plan.width * plan.channels;
      T* const row = y + o * plan.out_width * plan.channels;
      STIPPLE_CPU_DISPATCH(T, max_pool_row<T>(image, row, plan, o % plan.out_height));
    }
  });
}

template <class T>
void max_pool_backward(const T* dy, const T* x, const T* y, T* dx, const PoolPlan& plan) {
  Index const image = plan.height * plan.width * plan.channels;
  Index const out_row = plan.out_width * plan.channels, out_image = plan.out_height * out_row;
  if (plan.tiles()) {  // windows write their own pixels
    Index const cost = std::max<Index>(1, out_row * plan.kernel * plan.kernel);
    parallel_for(plan.n * plan.out_height, std::max<Index>(1, 16 * 1024 / cost), [=](Index begin, Index end) {
      for (Index o = begin; o < end; ++o) {
        Index const at = o / plan.out_height * image;
        STIPPLE_CPU_DISPATCH(T, max_pool_row_backward<false, T, T>(dy + o * out_row, x + at, y + o * out_row, dx + at,
                                                                   plan, o % plan.out_height));
      }
    });
    return;
  }
  // Windows of one image may share pixels: their gradients are summed in order, in the compute type.
  parallel_for(plan.n, std::max<Index>(1, 16 * 1024 / std::max<Index>(1, image)), [=](Index begin, Index end) {
    Tensor<compute_t<T>> sums({image});
    for (Index n = begin; n < end; ++n) {
      sums.fill(0);
      for (Index row = 0; row < plan.out_height; ++row) {
        Index const at = n * out_image + row * out_row;
        STIPPLE_CPU_DISPATCH(
            T, max_pool_row_backward<true, T, compute_t<T>>(dy + at, x + n * image, y + at, sums.data(), plan, row));
      }
      for (Index i = 0; i < image; ++i) dx[n * image + i] = static_cast<T>(sums.data()[i]);
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                        \
  STIPPLE_EXTERN template void stipple::cpu::max_pool<T>(const T*, T*, const stipple::PoolPlan&);   \
  STIPPLE_EXTERN template void stipple::cpu::max_pool_backward<T>(const T*, const T*, const T*, T*, \
                                                                  const stipple::PoolPlan&);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
