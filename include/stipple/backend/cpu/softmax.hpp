// CPU kernels of softmax over the last axis.
#pragma once

#include <vector>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/lanes.hpp>

namespace stipple::cpu {

/// y = softmax(x) for `rows` rows of n >= 1 values.
template <class T>
void softmax(const T* x, T* y, Index rows, Index n);
/// dx = y (dy - sum of dy y)
template <class T>
void softmax_backward(const T* dy, const T* y, T* dx, Index rows, Index n);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/softmax.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// Rows a chunk of work holds.
inline Index softmax_grain(Index n) { return std::max<Index>(1, 8 * 1024 / n); }

template <class T>
void softmax(const T* x, T* y, Index rows, Index n) {
  parallel_for(rows, softmax_grain(n), [=](Index begin, Index end) {
    std::vector<compute_t<T>> row_exp(static_cast<std::size_t>(n));
    STIPPLE_CPU_DISPATCH(T, softmax_rows<T>(x + begin * n, y + begin * n, row_exp.data(), end - begin, n));
  });
}

template <class T>
void softmax_backward(const T* dy, const T* y, T* dx, Index rows, Index n) {
  parallel_for(rows, softmax_grain(n), [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, softmax_rows_backward<T>(dy + begin * n, y + begin * n, dx + begin * n, end - begin, n));
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                             \
  STIPPLE_EXTERN template void stipple::cpu::softmax<T>(const T*, T*, stipple::Index, stipple::Index);   \
  STIPPLE_EXTERN template void stipple::cpu::softmax_backward<T>(const T*, const T*, T*, stipple::Index, \
                                                                 stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
