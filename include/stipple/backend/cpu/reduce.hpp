// CPU kernels of reductions: the largest element, and the repetition that is the gradient of a sum. Sums themselves are
// `sum_broadcast` in arithmetic.hpp.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/arithmetic.hpp>

namespace stipple::cpu {

/// The largest of n elements, n >= 1; NaN if there is one.
template <class T>
T max_all(const T* x, Index n);
/// y[o, m, i] = scale g[o, i], the shape being outer x middle x inner.
template <class T>
void repeat(const compute_t<T>* g, compute_t<T> scale, T* y, Broadcast s);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/reduce.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
T max_all(const T* x, Index n) {
  Index const pieces = (n + elementwise_grain - 1) / elementwise_grain;
  Tensor<T> most({pieces});
  parallel_for(pieces, 1, [=, to = most.data()](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      Index const from = p * elementwise_grain;
      STIPPLE_CPU_DISPATCH(T, max_range<T>(x + from, to + p, std::min(elementwise_grain, n - from)));
    }
  });
  T result{};
  STIPPLE_CPU_DISPATCH(T, max_range<T>(most.data(), &result, pieces));
  return result;
}

template <class T>
void repeat(const compute_t<T>* g, compute_t<T> scale, T* y, Broadcast s) {
  if (s.inner == 1) {  // runs of one number
    parallel_for(s.outer * s.middle, elementwise_grain, [=](Index begin, Index end) {
      while (begin < end) {
        Index const o = begin / s.middle, last = std::min(end, (o + 1) * s.middle);
        std::fill(y + begin, y + last, static_cast<T>(scale * g[o]));
        begin = last;
      }
    });
    return;
  }
  parallel_for(s.outer * s.middle, std::max<Index>(1, elementwise_grain / std::max<Index>(1, s.inner)),
               [=](Index begin, Index end) {
                 for (Index row = begin; row < end; ++row)
                   STIPPLE_CPU_DISPATCH(
                       T, scale_range<T>(g + row / s.middle * s.inner, scale, y + row * s.inner, s.inner));
               });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                          \
  STIPPLE_EXTERN template T stipple::cpu::max_all<T>(const T*, stipple::Index);                                       \
  STIPPLE_EXTERN template void stipple::cpu::repeat<T>(const stipple::cpu::compute_t<T>*, stipple::cpu::compute_t<T>, \
                                                       T*, stipple::Broadcast);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
