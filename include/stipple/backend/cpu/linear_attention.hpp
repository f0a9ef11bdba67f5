// CPU kernels of linear attention: one pass over k and v, one over q, in tiles of positions.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/small_product.hpp>
#include <stipple/backend/linear_attention_shape.hpp>

namespace stipple::cpu {

/// y (samples, positions, heads dim) from qkv (samples, positions, 3 heads dim). Saves `context` (samples, heads, dim,
/// dim) and `statistics` (samples, heads, 2, dim): the largest k of each channel over the positions, and 1 / sum of
/// exp(k - largest).
template <class T>
void linear_attention(const T* qkv, T* y, compute_t<T>* context, compute_t<T>* statistics,
                      const LinearAttentionShape& shape);
/// Gradient of qkv.
template <class T>
void linear_attention_backward(const T* dy, const T* qkv, const compute_t<T>* context, const compute_t<T>* statistics,
                               T* dqkv, const LinearAttentionShape& shape);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

/// Positions of one tile.
inline constexpr Index linear_attention_tile = 64;

/// One sample and head; rows of q, k and v are `stride` apart.
template <class T>
struct LinearAttentionHead {
  Index positions, dim, stride;
  const T *q, *k, *v;
  compute_t<T> scale;
};
/// What its backward pass reads and writes besides; rows of dq, dk and dv are as far apart as those of q.
template <class T>
struct LinearAttentionGradient {
  const T* dy;
  Index dy_stride;
  const compute_t<T>*context, *statistics;
  T *dq, *dk, *dv;
};

template <class T>
LinearAttentionHead<T> linear_attention_head_of(const T* qkv, const LinearAttentionShape& s, Index sample, Index head) {
  using C = compute_t<T>;
  Index const channels = s.heads * s.dim;
  const T* const q = qkv + sample * s.positions * 3 * channels + head * s.dim;
  return {s.positions,
          s.dim,
          3 * channels,
          q,
          q + channels,
          q + 2 * channels,
          static_cast<C>(1 / std::sqrt(static_cast<double>(s.dim)))};
}

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/linear_attention.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// Products below which work is not shared among threads.
inline constexpr Index linear_attention_grain = 256 * 1024;

template <class T>
void linear_attention(const T* qkv, T* y, compute_t<T>* context, compute_t<T>* statistics,
                      const LinearAttentionShape& s) {
  Index const wide = (s.dim + panel_width - 1) / panel_width * panel_width;
  Index const grain = std::max<Index>(1, linear_attention_grain / (2 * s.positions * s.dim * s.dim));
  parallel_for(s.samples * s.heads, grain, [=](Index begin, Index end) {
    Scratch<compute_t<T>> const scratch(wide * wide + linear_attention_tile * (2 * wide + 1) + 3 * wide);
    for (Index i = begin; i < end; ++i) {
      Index const sample = i / s.heads, head = i % s.heads, channels = s.heads * s.dim;
      STIPPLE_CPU_DISPATCH(
          T, linear_attention_head<T>(linear_attention_head_of(qkv, s, sample, head),
                                      y + sample * s.positions * channels + head * s.dim, channels,
                                      context + i * s.dim * s.dim, statistics + i * 2 * s.dim, scratch.data()));
    }
  });
}

template <class T>
void linear_attention_backward(const T* dy, const T* qkv, const compute_t<T>* context, const compute_t<T>* statistics,
                               T* dqkv, const LinearAttentionShape& s) {
  Index const wide = (s.dim + panel_width - 1) / panel_width * panel_width;
  Index const grain = std::max<Index>(1, linear_attention_grain / (4 * s.positions * s.dim * s.dim));
  parallel_for(s.samples * s.heads, grain, [=](Index begin, Index end) {
    Scratch<compute_t<T>> const scratch(3 * wide * wide + linear_attention_tile * (3 * wide + 1) + 3 * wide);
    for (Index i = begin; i < end; ++i) {
      Index const sample = i / s.heads, head = i % s.heads, channels = s.heads * s.dim;
      auto const operands = linear_attention_head_of(qkv, s, sample, head);
      T* const dq = dqkv + (operands.q - qkv);
      LinearAttentionGradient<T> const gradient{dy + sample * s.positions * channels + head * s.dim,
                                                channels,
                                                context + i * s.dim * s.dim,
                                                statistics + i * 2 * s.dim,
                                                dq,
                                                dq + channels,
                                                dq + 2 * channels};
      STIPPLE_CPU_DISPATCH(T, linear_attention_backward_head<T>(operands, gradient, scratch.data()));
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                         \
  STIPPLE_EXTERN template void stipple::cpu::linear_attention<T>(                                                    \
      const T*, T*, stipple::cpu::compute_t<T>*, stipple::cpu::compute_t<T>*, const stipple::LinearAttentionShape&); \
  STIPPLE_EXTERN template void stipple::cpu::linear_attention_backward<T>(                                           \
      const T*, const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*, T*,                  \
      const stipple::LinearAttentionShape&);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
