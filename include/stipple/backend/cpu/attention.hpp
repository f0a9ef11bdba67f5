// CPU kernels of scaled-dot-product attention: tiled, so that no (queries, keys) array exists.
#pragma once

#include <stipple/backend/attention_shape.hpp>
#include <stipple/backend/cpu/small_product.hpp>

namespace stipple::cpu {

/// y = softmax(scale q k^T) v for every sample and head. `statistics` (samples, heads, 2, queries) gets the largest
/// logit of each query and 1 / sum over the keys of exp(logit - largest): the backward pass finds the probabilities
/// again from them, exactly, however large the logits are.
template <class T>
void attention(AttentionRows<const T> q, AttentionRows<const T> k, AttentionRows<const T> v, AttentionRows<T> y,
               compute_t<T>* statistics, const AttentionShape& shape);
/// Gradients, laid out as the operands; `dy` as `y`.
template <class T>
void attention_backward(AttentionRows<const T> q, AttentionRows<const T> k, AttentionRows<const T> v,
                        AttentionRows<const T> y, const T* dy, const compute_t<T>* statistics, T* dq, T* dk, T* dv,
                        const AttentionShape& shape);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#include <algorithm>

#include <stipple/backend/cpu/attention_pairs.hpp>

namespace stipple::cpu {

/// Queries and keys of one tile.
inline constexpr Index attention_tile = 64;

/// One sample and head.
template <class T>
struct AttentionHead {
  Index queries, keys, dim;
  compute_t<T> scale;
  bool causal;
  AttentionRows<const T> q, k, v;
};
/// What its backward pass reads and writes besides.
template <class T>
struct AttentionGradients {
  AttentionRows<const T> y;
  const T* dy;
  const compute_t<T>*largest, *inverse_total;  // (queries)
  T *dq, *dk, *dv;
};

template <class T>
AttentionHead<T> attention_head(AttentionRows<const T> q, AttentionRows<const T> k, AttentionRows<const T> v,
                                const AttentionShape& s, Index sample, Index head) {
  q.data += sample * s.queries * q.stride + head * s.dim;
  k.data += sample * s.keys * k.stride + head * s.dim;
  v.data += sample * s.keys * v.stride + head * s.dim;
  return {s.queries, s.keys, s.dim, static_cast<compute_t<T>>(s.scale), s.causal, q, k, v};
}

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/attention.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void attention(AttentionRows<const T> q, AttentionRows<const T> k, AttentionRows<const T> v, AttentionRows<T> y,
               compute_t<T>* statistics, const AttentionShape& s) {
  if constexpr (std::is_same_v<T, bf16>) {
    if (uses_attention_pairs(s)) return attention_pairs(q, k, v, y, statistics, s);
  }
  Index const tiles = (s.queries + attention_tile - 1) / attention_tile;
  Index const wide = (s.dim + panel_width - 1) / panel_width * panel_width;
  Index const cost = 2 * std::min(s.queries, attention_tile) * s.keys * s.dim;
  parallel_for(s.samples * s.heads * tiles, std::max<Index>(1, attention_grain / cost), [=](Index begin, Index end) {
    Scratch<compute_t<T>> const scratch(attention_tile * (2 * s.dim + 2 * wide + attention_tile + 2) + wide);
    for (Index i = begin; i < end; ++i) {
      Index const unit = i / tiles, sample = unit / s.heads, head = unit % s.heads;
      Index const first = i % tiles * attention_tile, count = std::min(attention_tile, s.queries - first);
      AttentionRows<T> const rows{y.data + sample * s.queries * y.stride + head * s.dim, y.stride};
      compute_t<T>* const largest = statistics + unit * 2 * s.queries;
      STIPPLE_CPU_DISPATCH(T, attention_forward_tile<T>(attention_head(q, k, v, s, sample, head), rows, largest,
                                                        largest + s.queries, first, count, scratch.data()));
    }
  });
}

template <class T>
void attention_backward(AttentionRows<const T> q, AttentionRows<const T> k, AttentionRows<const T> v,
                        AttentionRows<const T> y, const T* dy, const compute_t<T>* statistics, T* dq, T* dk, T* dv,
                        const AttentionShape& s) {
  if constexpr (std::is_same_v<T, bf16>) {
    if (uses_attention_pairs(s)) return attention_pairs_backward(q, k, v, y, dy, statistics, dq, dk, dv, s);
  }
  Index const tiles = (s.queries + attention_tile - 1) / attention_tile;
  Index const wide = (s.dim + panel_width - 1) / panel_width * panel_width;
  Index const cost = 5 * s.queries * s.keys * s.dim;
  parallel_for(s.samples * s.heads, std::max<Index>(1, attention_grain / cost), [=](Index begin, Index end) {
    Scratch<compute_t<T>> const scratch(
        attention_tile * (tiles * (3 * s.dim + 2 * wide + 3) + 4 * wide + 2 * attention_tile) + wide);
    for (Index i = begin; i < end; ++i) {
      Index const sample = i / s.heads, head = i % s.heads;
      auto const operands = attention_head(q, k, v, s, sample, head);
      Index const at = sample * s.queries * y.stride + head * s.dim;
      const compute_t<T>* const largest = statistics + i * 2 * s.queries;
      AttentionGradients<T> const gradients{{y.data + at, y.stride},
                                            dy + at,
                                            largest,
                                            largest + s.queries,
                                            dq + (operands.q.data - q.data),
                                            dk + (operands.k.data - k.data),
                                            dv + (operands.v.data - v.data)};
      STIPPLE_CPU_DISPATCH(T, attention_backward_head<T>(operands, gradients, scratch.data()));
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                             \
  STIPPLE_EXTERN template void stipple::cpu::attention<T>(                                               \
      stipple::AttentionRows<const T>, stipple::AttentionRows<const T>, stipple::AttentionRows<const T>, \
      stipple::AttentionRows<T>, stipple::cpu::compute_t<T>*, const stipple::AttentionShape&);           \
  STIPPLE_EXTERN template void stipple::cpu::attention_backward<T>(                                      \
      stipple::AttentionRows<const T>, stipple::AttentionRows<const T>, stipple::AttentionRows<const T>, \
      stipple::AttentionRows<const T>, const T*, const stipple::cpu::compute_t<T>*, T*, T*, T*,          \
      const stipple::AttentionShape&);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
