// CPU kernels of losses: elementwise ones of a prediction and a target, and cross entropy of logits and labels.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/arithmetic.hpp>
#include <stipple/backend/loss_kind.hpp>

namespace stipple::cpu {

/// The sum of f(x - y) over n elements.
template <class T, class U>
compute_t<T> loss_sum(LossKind kind, compute_t<T> parameter, const T* x, const U* y, Index n);
/// out[i] = f(x[i] - y[i])
template <class T, class U>
void loss_values(LossKind kind, compute_t<T> parameter, const T* x, const U* y, compute_t<T>* out, Index n);
/// dx[i] = g f'(x[i] - y[i]), with g = scale dy[i], or scale dy[0] where dy is `common` to all. O is T or the compute
/// type.
template <class T, class U, class O>
void loss_backward(LossKind kind, compute_t<T> parameter, const T* x, const U* y, const compute_t<T>* dy, bool common,
                   compute_t<T> scale, O* dx, Index n);

/// Cross entropy of one row of logits a thread: losses[i] = -sum over c of q[c] log softmax(x[i])[c], where q is
/// 1 - smoothing at the label plus smoothing / classes everywhere. `normalisers` are log sum exp of each row.
template <class T>
void cross_entropy(const T* x, const std::int32_t* labels, compute_t<T> smoothing, compute_t<T>* losses,
                   compute_t<T>* normalisers, Index rows, Index classes);
/// dx = g (softmax(x) - q), with g as in loss_backward, one a row.
template <class T>
void cross_entropy_backward(const T* x, const std::int32_t* labels, compute_t<T> smoothing,
                            const compute_t<T>* normalisers, const compute_t<T>* dy, bool common, compute_t<T> scale,
                            T* dx, Index rows, Index classes);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/loss.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T, class U>
compute_t<T> loss_sum(LossKind kind, compute_t<T> parameter, const T* x, const U* y, Index n) {
  Index const pieces = (n + elementwise_grain - 1) / elementwise_grain;
  Tensor<compute_t<T>> sums({pieces});
  parallel_for(n, elementwise_grain, [=, to = sums.data()](Index begin, Index end) {
    for (; begin < end; begin += elementwise_grain) {
      Index const count = std::min(elementwise_grain, end - begin);
      STIPPLE_CPU_DISPATCH(
          T, loss_sum_range<T, U>(kind, parameter, x + begin, y + begin, to + begin / elementwise_grain, count));
    }
  });
  compute_t<T> total = 0;
  for (Index p = 0; p < pieces; ++p) total += sums.data()[p];
  return total;
}

template <class T, class U>
void loss_values(LossKind kind, compute_t<T> parameter, const T* x, const U* y, compute_t<T>* out, Index n) {
  parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, loss_range<T, U>(kind, parameter, x + begin, y + begin, out + begin, end - begin));
  });
}

template <class T, class U, class O>
void loss_backward(LossKind kind, compute_t<T> parameter, const T* x, const U* y, const compute_t<T>* dy, bool common,
                   compute_t<T> scale, O* dx, Index n) {
  parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(
        T, loss_range_backward<T, U, O>(kind, parameter, x + begin, y + begin, common ? dy : dy + begin, common, scale,
                                        dx + begin, end - begin));
  });
}

template <class T>
void cross_entropy(const T* x, const std::int32_t* labels, compute_t<T> smoothing, compute_t<T>* losses,
                   compute_t<T>* normalisers, Index rows, Index classes) {
  parallel_for(rows, std::max<Index>(1, 2048 / classes), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      STIPPLE_CPU_DISPATCH(
          T, cross_entropy_row<T>(x + i * classes, labels[i], smoothing, losses + i, normalisers + i, classes));
  });
}

template <class T>
void cross_entropy_backward(const T* x, const std::int32_t* labels, compute_t<T> smoothing,
                            const compute_t<T>* normalisers, const compute_t<T>* dy, bool common, compute_t<T> scale,
                            T* dx, Index rows, Index classes) {
  parallel_for(rows, std::max<Index>(1, 2048 / classes), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      compute_t<T> const g = scale * dy[common ? 0 : i];
      STIPPLE_CPU_DISPATCH(T, cross_entropy_row_backward<T>(x + i * classes, labels[i], smoothing, normalisers[i], g,
                                                            dx + i * classes, classes));
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_GRADIENT(T, U, O)                                                                                 \
  STIPPLE_EXTERN template void stipple::cpu::loss_backward<T, U, O>(                                              \
      stipple::LossKind, stipple::cpu::compute_t<T>, const T*, const U*, const stipple::cpu::compute_t<T>*, bool, \
      stipple::cpu::compute_t<T>, O*, stipple::Index);
#define STIPPLE_INSTANCES(T, U)                                                           \
  STIPPLE_EXTERN template stipple::cpu::compute_t<T> stipple::cpu::loss_sum<T, U>(        \
      stipple::LossKind, stipple::cpu::compute_t<T>, const T*, const U*, stipple::Index); \
  STIPPLE_EXTERN template void stipple::cpu::loss_values<T, U>(                           \
      stipple::LossKind, stipple::cpu::compute_t<T>, const T*, const U*, stipple::cpu::compute_t<T>*, stipple::Index);
#define STIPPLE_CROSS_ENTROPY(T)                                                                    \
  STIPPLE_EXTERN template void stipple::cpu::cross_entropy<T>(                                      \
      const T*, const std::int32_t*, stipple::cpu::compute_t<T>, stipple::cpu::compute_t<T>*,       \
      stipple::cpu::compute_t<T>*, stipple::Index, stipple::Index);                                 \
  STIPPLE_EXTERN template void stipple::cpu::cross_entropy_backward<T>(                             \
      const T*, const std::int32_t*, stipple::cpu::compute_t<T>, const stipple::cpu::compute_t<T>*, \
      const stipple::cpu::compute_t<T>*, bool, stipple::cpu::compute_t<T>, T*, stipple::Index, stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float, float)
STIPPLE_INSTANCES(double, double)
STIPPLE_INSTANCES(stipple::bf16, float)
STIPPLE_INSTANCES(stipple::bf16, stipple::bf16)
STIPPLE_GRADIENT(float, float, float)
STIPPLE_GRADIENT(double, double, double)
STIPPLE_GRADIENT(stipple::bf16, float, stipple::bf16)
STIPPLE_GRADIENT(stipple::bf16, float, float)
STIPPLE_GRADIENT(stipple::bf16, stipple::bf16, stipple::bf16)
STIPPLE_GRADIENT(stipple::bf16, stipple::bf16, float)
STIPPLE_CROSS_ENTROPY(float)
STIPPLE_CROSS_ENTROPY(stipple::bf16)
STIPPLE_CROSS_ENTROPY(double)
#endif
#undef STIPPLE_GRADIENT
#undef STIPPLE_INSTANCES
#undef STIPPLE_CROSS_ENTROPY
