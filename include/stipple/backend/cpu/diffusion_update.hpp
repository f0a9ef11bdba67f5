// CPU kernels of the forward process and of one sampler step: weighted sums of a few arrays in one pass.
#pragma once

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/backend/diffusion_weights.hpp>

namespace stipple::cpu {

/// One sampler step. `x0` receives the bounded x0 unless null.
template <class T>
void diffusion_update(const UpdateWeights<T>& weights, const T* x, const T* prediction, const UpdateExtras<T>& extras,
                      T* out, T* x0, Index n);

/// out[i, j] = a[i] x[i, j] + b[i] y[i, j]: `rows` samples of `row` elements, each with its own weights.
template <class T, class U>
void mix_rows(const U* a, const U* x, const U* b, const U* y, T* out, Index rows, Index row);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/diffusion_update.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

inline constexpr Index diffusion_update_grain = 16 * 1024;

template <class T>
void diffusion_update(const UpdateWeights<T>& weights, const T* x, const T* prediction, const UpdateExtras<T>& extras,
                      T* out, T* x0, Index n) {
  parallel_for(n, diffusion_update_grain, [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, diffusion_update_range<T>(weights, x, prediction, extras, out, x0, begin, end));
  });
}

template <class T, class U>
void mix_rows(const U* a, const U* x, const U* b, const U* y, T* out, Index rows, Index row) {
  parallel_for(rows, std::max<Index>(1, diffusion_update_grain / std::max<Index>(1, row)), [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(U, mix_rows_range<T, U>(a, x, b, y, out, row, begin, end));
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                      \
  STIPPLE_EXTERN template void stipple::cpu::diffusion_update<T>( \
      const stipple::UpdateWeights<T>&, const T*, const T*, const stipple::UpdateExtras<T>&, T*, T*, stipple::Index);
#define STIPPLE_INSTANCES_OF_TWO(T, U)                                                                  \
  STIPPLE_EXTERN template void stipple::cpu::mix_rows<T, U>(const U*, const U*, const U*, const U*, T*, \
                                                            stipple::Index, stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(double)
STIPPLE_INSTANCES_OF_TWO(float, float)
STIPPLE_INSTANCES_OF_TWO(stipple::bf16, float)
STIPPLE_INSTANCES_OF_TWO(double, double)
#endif
#undef STIPPLE_INSTANCES
#undef STIPPLE_INSTANCES_OF_TWO
