// CPU kernels of layer normalisation over the last axis.
#pragma once

#include <vector>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/lanes.hpp>

namespace stipple::cpu {

/// y = (x - mean) rstd weight + bias for `rows` rows of n values. Fills mean and rstd, (rows). weight and bias may be
/// null.
template <class T>
void layer_norm(const T* x, const compute_t<T>* weight, const compute_t<T>* bias, T* y, compute_t<T>* mean,
                compute_t<T>* rstd, Index rows, Index n, double eps);
/// Gradients of x, weight and bias; the last two may be null.
template <class T>
void layer_norm_backward(const T* dy, const T* x, const compute_t<T>* weight, const compute_t<T>* mean,
                         const compute_t<T>* rstd, T* dx, compute_t<T>* dweight, compute_t<T>* dbias, Index rows,
                         Index n);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/layer_norm.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// Rows a chunk of work holds.
inline Index layer_norm_grain(Index n) { return std::max<Index>(1, 16 * 1024 / std::max<Index>(1, n)); }

template <class T>
void layer_norm(const T* x, const compute_t<T>* weight, const compute_t<T>* bias, T* y, compute_t<T>* mean,
                compute_t<T>* rstd, Index rows, Index n, double eps) {
  using C = compute_t<T>;
  std::vector<C> const ones(weight == nullptr ? static_cast<std::size_t>(n) : 0, C(1));
  std::vector<C> const zeros(bias == nullptr ? static_cast<std::size_t>(n) : 0, C(0));
  const C* const w = weight == nullptr ? ones.data() : weight;
  const C* const b = bias == nullptr ? zeros.data() : bias;
  parallel_for(rows, layer_norm_grain(n), [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(
        T, layer_norm_rows<T>(x + begin * n, w, b, y + begin * n, mean + begin, rstd + begin, end - begin, n, eps));
  });
}

template <class T>
void layer_norm_backward(const T* dy, const T* x, const compute_t<T>* weight, const compute_t<T>* mean,
                         const compute_t<T>* rstd, T* dx, compute_t<T>* dweight, compute_t<T>* dbias, Index rows,
                         Index n) {
  using C = compute_t<T>;
  std::vector<C> const ones(weight == nullptr ? static_cast<std::size_t>(n) : 0, C(1));
  const C* const w = weight == nullptr ? ones.data() : weight;
  Index const grain = layer_norm_grain(n), chunks = (rows + grain - 1) / grain;
  std::vector<C> parts(static_cast<std::size_t>(chunks * 2 * n));  // each chunk's share of dweight and dbias
  C* const part = parts.data();
  parallel_for(rows, grain, [=](Index begin, Index end) {
    C* const dw = part + begin / grain * 2 * n;
    STIPPLE_CPU_DISPATCH(T, layer_norm_rows_backward<T>(dy + begin * n, x + begin * n, w, mean + begin, rstd + begin,
                                                        dx + begin * n, dw, dw + n, end - begin, n));
  });
  if (dweight != nullptr) sum_rows(part, chunks, n, 2 * n, dweight);
  if (dbias != nullptr) sum_rows(part + n, chunks, n, 2 * n, dbias);
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                           \
  STIPPLE_EXTERN template void stipple::cpu::layer_norm<T>(                                                            \
      const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*, T*, stipple::cpu::compute_t<T>*, \
      stipple::cpu::compute_t<T>*, stipple::Index, stipple::Index, double);                                            \
  STIPPLE_EXTERN template void stipple::cpu::layer_norm_backward<T>(                                                   \
      const T*, const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*,                        \
      const stipple::cpu::compute_t<T>*, T*, stipple::cpu::compute_t<T>*, stipple::cpu::compute_t<T>*, stipple::Index, \
      stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
