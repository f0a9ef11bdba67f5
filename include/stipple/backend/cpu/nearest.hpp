// CPU kernel of nearest-neighbour distances between point sets.
#pragma once

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>

namespace stipple::cpu {

/// Points in the second set of `nearest_squared` come in multiples of this; the rest is filled with infinity.
inline constexpr Index nearest_padding = 16;

/// best[i] = min over j of |a_i - b_j|^2. `a` is (n, d); `b_columns` is (d, m), column by column, with m a multiple of
/// nearest_padding.
template <class T>
void nearest_squared(const T* a, const T* b_columns, T* best, Index n, Index m, Index d);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/nearest.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void nearest_squared(const T* a, const T* b_columns, T* best, Index n, Index m, Index d) {
  Index const grain = std::max<Index>(4, 64 * 1024 / std::max<Index>(1, m * d));
  parallel_for(n, grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, nearest_squared_range<T>(a, b_columns, best, m, d, begin, end));
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                            \
  STIPPLE_EXTERN template void stipple::cpu::nearest_squared<T>(const T*, const T*, T*, stipple::Index, \
                                                                stipple::Index, stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
