// CPU losses. Sums are taken in fixed chunks and added in order, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>

namespace stipple::cpu {

/// With d = prediction - target: d^2; |d|; or quadratic up to |d| = edge and linear with slope `height` beyond.
enum class LossForm { squared, absolute, quadratic_near };

template <class C>
struct LossKind {
  LossForm form = LossForm::squared;
  C edge = 1, height = 1;
};

/// Sum over n elements.
template <class T>
double loss_total(const LossKind<compute_t<T>>& kind, const T* prediction, const compute_t<T>* target, Index n);
/// Every element's loss.
template <class T>
void loss_elements(const LossKind<compute_t<T>>& kind, const T* prediction, const compute_t<T>* target,
                   compute_t<T>* out, Index n);
/// Gradient of the prediction: scale times the slope, times each[i] unless null.
template <class T>
void loss_backward(const LossKind<compute_t<T>>& kind, const T* prediction, const compute_t<T>* target,
                   compute_t<T> scale, const compute_t<T>* each, T* out, Index n);

/// Cross-entropy of rows of logits (n, classes): losses[i] = -sum_c q_c log softmax_c with q the smoothed label;
/// gradient (may be null) is that of losses[i]. Labels have been checked.
template <class T>
void cross_entropy_rows(const T* logits, const std::int32_t* labels, double smoothing, compute_t<T>* losses,
                        compute_t<T>* gradient, Index n, Index classes);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/loss.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

inline constexpr Index loss_chunk = 8 * 1024;

template <class T>
double loss_total(const LossKind<compute_t<T>>& kind, const T* prediction, const compute_t<T>* target, Index n) {
  std::vector<compute_t<T>> sums(static_cast<std::size_t>((n + loss_chunk - 1) / loss_chunk));
  parallel_for(n, loss_chunk, [&](Index begin, Index end) {
    auto* const sum = &sums[static_cast<std::size_t>(begin / loss_chunk)];
    STIPPLE_CPU_DISPATCH(T, loss_sum<T>(kind, prediction + begin, target + begin, end - begin, sum));
  });
  double total = 0;
  for (auto const sum : sums) total += static_cast<double>(sum);
  return total;
}

template <class T>
void loss_elements(const LossKind<compute_t<T>>& kind, const T* prediction, const compute_t<T>* target,
                   compute_t<T>* out, Index n) {
  parallel_for(n, loss_chunk, [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, loss_each<T>(kind, prediction + begin, target + begin, out + begin, end - begin));
  });
}

template <class T>
void loss_backward(const LossKind<compute_t<T>>& kind, const T* prediction, const compute_t<T>* target,
                   compute_t<T> scale, const compute_t<T>* each, T* out, Index n) {
  parallel_for(n, loss_chunk, [&](Index begin, Index end) {
    auto const* const mine = each == nullptr ? nullptr : each + begin;
    STIPPLE_CPU_DISPATCH(
        T, loss_slope<T>(kind, prediction + begin, target + begin, scale, mine, out + begin, end - begin));
  });
}

template <class T>
void cross_entropy_rows(const T* logits, const std::int32_t* labels, double smoothing, compute_t<T>* losses,
                        compute_t<T>* gradient, Index n, Index classes) {
  parallel_for(n, std::max<Index>(1, 4096 / classes), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const T* const row = logits + i * classes;
      double largest = static_cast<double>(row[0]), total = 0, mean = 0;
      for (Index c = 1; c < classes; ++c) largest = std::max(largest, static_cast<double>(row[c]));
      for (Index c = 0; c < classes; ++c) {
        total += std::exp(static_cast<double>(row[c]) - largest);
        mean += static_cast<double>(row[c]) / static_cast<double>(classes);
      }
      double const log_total = largest + std::log(total);
      losses[i] = static_cast<compute_t<T>>(log_total - (1 - smoothing) * static_cast<double>(row[labels[i]]) -
                                            smoothing * mean);
      if (gradient == nullptr) continue;
      for (Index c = 0; c < classes; ++c) {
        double const q = (c == labels[i] ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
        gradient[i * classes + c] = static_cast<compute_t<T>>(std::exp(static_cast<double>(row[c]) - log_total) - q);
      }
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                           \
  STIPPLE_EXTERN template double stipple::cpu::loss_total<T>(                                                          \
      const stipple::cpu::LossKind<stipple::cpu::compute_t<T>>&, const T*, const stipple::cpu::compute_t<T>*,          \
      stipple::Index);                                                                                                 \
  STIPPLE_EXTERN template void stipple::cpu::loss_elements<T>(                                                         \
      const stipple::cpu::LossKind<stipple::cpu::compute_t<T>>&, const T*, const stipple::cpu::compute_t<T>*,          \
      stipple::cpu::compute_t<T>*, stipple::Index);                                                                    \
  STIPPLE_EXTERN template void stipple::cpu::loss_backward<T>(                                                         \
      const stipple::cpu::LossKind<stipple::cpu::compute_t<T>>&, const T*, const stipple::cpu::compute_t<T>*,          \
      stipple::cpu::compute_t<T>, const stipple::cpu::compute_t<T>*, T*, stipple::Index);                              \
  STIPPLE_EXTERN template void stipple::cpu::cross_entropy_rows<T>(                                                    \
      const T*, const std::int32_t*, double, stipple::cpu::compute_t<T>*, stipple::cpu::compute_t<T>*, stipple::Index, \
      stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
