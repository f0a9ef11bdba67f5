// CPU kernels of elementwise arithmetic with broadcasting, and of conversion between element types.
#pragma once

#include <algorithm>

#include <stipple/backend/broadcast.hpp>
#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::cpu {

template <class T, class U>
void arithmetic(Arithmetic kind, const T* a, const U* b, T* out, Broadcast s);
/// Gradient of the broadcast operand: out[o, i] = sum over m of g[o, m, i] (* factor[o, m, i] unless null).
template <class T, class U>
void sum_broadcast(const T* g, const T* factor, U* out, Broadcast s);
template <class T>
void affine(const T* a, compute_t<T> scale, compute_t<T> shift, T* out, Index n);
template <class T, class U>
void cast(const U* a, T* out, Index n);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/arithmetic.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

inline constexpr Index elementwise_grain = 16 * 1024;

template <class T, class U>
void arithmetic(Arithmetic kind, const T* a, const U* b, T* out, Broadcast s) {
  if (s.outer * s.middle * s.inner == 0) return;
  if (s.middle == 1) {
    Index const n = s.outer * s.inner;
    parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH(T, arithmetic_range<T, U>(kind, a + begin, b + begin, out + begin, end - begin));
    });
  } else if (s.inner == 1) {
    parallel_for(s.outer, std::max<Index>(1, elementwise_grain / s.middle), [=](Index begin, Index end) {
      for (Index o = begin; o < end; ++o)
        STIPPLE_CPU_DISPATCH(T,
                             arithmetic_per_sample<T, U>(kind, a + o * s.middle, b + o, out + o * s.middle, s.middle));
    });
  } else {
    parallel_for(s.outer * s.middle, std::max<Index>(1, elementwise_grain / s.inner), [=](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH(T, arithmetic_rows<T, U>(kind, a, b, out, s.middle, s.inner, begin, end));
    });
  }
}

template <class T, class U>
void sum_broadcast(const T* g, const T* factor, U* out, Broadcast s) {
  // The middle is summed in pieces of `rows` rows, and the pieces of one outer index in their order.
  Index const rows = std::max<Index>(1, elementwise_grain / std::max<Index>(1, s.inner));
  Index const pieces = (s.middle + rows - 1) / rows, size = std::min(rows, s.middle) * s.inner;
  Tensor<compute_t<T>> sums({s.outer * pieces, s.inner});
  parallel_for(s.outer * pieces, std::max<Index>(1, elementwise_grain / std::max<Index>(1, size)),
               [=, to = sums.data()](Index begin, Index end) {
                 for (Index p = begin; p < end; ++p) {
                   Index const row = p % pieces * rows, n = std::min(rows, s.middle - row);
                   Index const at = (p / pieces * s.middle + row) * s.inner;
                   const T* const other = factor == nullptr ? nullptr : factor + at;
                   if (s.inner == 1)
                     STIPPLE_CPU_DISPATCH(T, sum_column<T>(g + at, other, to + p, n));
                   else
                     STIPPLE_CPU_DISPATCH(T, sum_rows<T>(g + at, other, to + p * s.inner, n, s.inner));
                 }
               });
  for (Index o = 0; o < s.outer; ++o) {
    for (Index i = 0; i < s.inner; ++i) {
      compute_t<T> total = 0;
      for (Index p = 0; p < pieces; ++p) total += sums.data()[(o * pieces + p) * s.inner + i];
      out[o * s.inner + i] = static_cast<U>(total);
    }
  }
}

template <class T>
void affine(const T* a, compute_t<T> scale, compute_t<T> shift, T* out, Index n) {
  parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, affine_range<T>(a + begin, scale, shift, out + begin, end - begin));
  });
}

template <class T, class U>
void cast(const U* a, T* out, Index n) {
  parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
    using Widest = std::conditional_t<std::is_same_v<T, double>, T, U>;
    STIPPLE_CPU_DISPATCH(Widest, cast_range<T, U>(a + begin, out + begin, end - begin));
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T, U)                                                                            \
  STIPPLE_EXTERN template void stipple::cpu::arithmetic<T, U>(stipple::Arithmetic, const T*, const U*, T*, \
                                                              stipple::Broadcast);                         \
  STIPPLE_EXTERN template void stipple::cpu::sum_broadcast<T, U>(const T*, const T*, U*, stipple::Broadcast);
#define STIPPLE_INSTANCES_OF_ONE(T)                                                          \
  STIPPLE_EXTERN template void stipple::cpu::affine<T>(const T*, stipple::cpu::compute_t<T>, \
                                                       stipple::cpu::compute_t<T>, T*, stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float, float)
STIPPLE_INSTANCES(stipple::bf16, stipple::bf16)
STIPPLE_INSTANCES(stipple::bf16, float)
STIPPLE_INSTANCES(double, double)
STIPPLE_INSTANCES_OF_ONE(float)
STIPPLE_INSTANCES_OF_ONE(stipple::bf16)
STIPPLE_INSTANCES_OF_ONE(double)
STIPPLE_EXTERN template void stipple::cpu::cast<float, stipple::bf16>(const stipple::bf16*, float*, stipple::Index);
STIPPLE_EXTERN template void stipple::cpu::cast<stipple::bf16, float>(const float*, stipple::bf16*, stipple::Index);
STIPPLE_EXTERN template void stipple::cpu::cast<double, float>(const float*, double*, stipple::Index);
STIPPLE_EXTERN template void stipple::cpu::cast<float, double>(const double*, float*, stipple::Index);
#endif
#undef STIPPLE_INSTANCES
#undef STIPPLE_INSTANCES_OF_ONE
