// CPU kernels of the activations.
#pragma once

#include <stipple/backend/cpu/activation_functors.hpp>
#include <stipple/backend/cpu/compiled.hpp>

namespace stipple::cpu {

/// y[i] = f(x[i]), n elements. `y` may be `x`.
template <class T>
void activate(Activation kind, const T* x, T* y, Index n);
/// dx[i] = dy[i] f'(x[i]). `dx` may be `dy`.
template <class T>
void activate_backward(Activation kind, const T* dy, const T* x, T* dx, Index n);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/activation.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

inline constexpr Index activation_grain = 16 * 1024;

template <class T>
void activate(Activation kind, const T* x, T* y, Index n) {
  parallel_for(n, activation_grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, activate_range<T>(kind, x + begin, y + begin, end - begin));
  });
}

template <class T>
void activate_backward(Activation kind, const T* dy, const T* x, T* dx, Index n) {
  parallel_for(n, activation_grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, activate_range_backward<T>(kind, dy + begin, x + begin, dx + begin, end - begin));
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                   \
  STIPPLE_EXTERN template void stipple::cpu::activate<T>(stipple::Activation, const T*, T*, stipple::Index);   \
  STIPPLE_EXTERN template void stipple::cpu::activate_backward<T>(stipple::Activation, const T*, const T*, T*, \
                                                                  stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
