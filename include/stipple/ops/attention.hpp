// Multi-head scaled-dot-product attention (Vaswani et al. 2017, eq. 1) on rows of channels, without transposes.
#pragma once

#include <cmath>
#include <optional>

#include <stipple/backend/attention_shape.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

struct AttentionSpec {
  std::optional<double> scale = {};  ///< of the logits; 1 / sqrt(head size) when not given
  bool causal = false;               ///< query i sees the keys 0 to i
};

}  // namespace stipple

namespace stipple::ops {

/// The result, (..., heads * head size) as the queries, and for the backward pass the largest logit and one over the
/// sum of exponentials of each query, (N, heads, 2, queries).
template <Real T, Device D>
struct AttentionResult {
  Tensor<T, D> y;
  Tensor<accumulate_t<T>, D> statistics;
};

template <Real T, Device D>
struct AttentionGradients {
  Tensor<T, D> q, k, v;
};

namespace detail {
/// Positions of one sample: the product of the extents between the first and the last.
STIPPLE_INLINE Index positions(const Shape& shape);

}  // namespace detail

/// softmax(scale q k^T) v in every head. q (N, queries, C), k and v (N, keys, C), or images (N, H, W, C); head h uses
/// channels [h C / heads, (h + 1) C / heads). The result has the shape of q.
template <Real T, Device D>
AttentionResult<T, D> attention(const Tensor<T, D>& q, const Tensor<T, D>& k, const Tensor<T, D>& v, Index heads,
                                const AttentionSpec& spec = {});

/// Gradients of `attention` from that of its result, dy; `forward` is what it returned.
template <Real T, Device D>
AttentionGradients<T, D> attention_backward(const Tensor<T, D>& dy, const Tensor<T, D>& q, const Tensor<T, D>& k,
                                            const Tensor<T, D>& v, const AttentionResult<T, D>& forward, Index heads,
                                            const AttentionSpec& spec = {});

/// Self-attention on one tensor (N, positions, 3 C) or (N, H, W, 3 C) that holds q, k and v side by side in its
/// channels, in this order. The result is (N, ..., C).
template <Real T, Device D>
AttentionResult<T, D> attention_qkv(const Tensor<T, D>& qkv, Index heads, const AttentionSpec& spec = {});

/// Gradient of `attention_qkv` with respect to qkv.
template <Real T, Device D>
Tensor<T, D> attention_qkv_backward(const Tensor<T, D>& dy, const Tensor<T, D>& qkv,
                                    const AttentionResult<T, D>& forward, Index heads, const AttentionSpec& spec = {});

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/attention.hpp>

namespace stipple::ops::detail {

template <class T, Device D>
using Rows = AttentionRows<const T, D>;

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Index positions(const Shape& shape) { return shape.count(1, shape.rank() - 1); }
#endif

inline AttentionShape attention_shape(const char* name, const Shape& q, Index keys, Index channels, Index heads,
                                      const AttentionSpec& spec) {
  require(heads >= 1 && channels >= 1 && channels % heads == 0, name, ": given ", heads, " heads for ", channels,
          " channels, wanted a divisor of the channels");
  Index const dim = channels / heads, queries = positions(q);
  require(queries >= 1 && keys >= 1, name, ": given ", queries, " queries and ", keys, " keys, wanted one or more");
  double const scale = spec.scale.value_or(1 / std::sqrt(static_cast<double>(dim)));
  require(std::isfinite(scale), name, ": given scale ", scale, ", wanted a finite number");
  return {q[0], heads, queries, keys, dim, scale, spec.causal};
}

template <Real T, Device D>
AttentionShape attention_shape(const char* name, const Tensor<T, D>& q, const Tensor<T, D>& k, const Tensor<T, D>& v,
                               Index heads, const AttentionSpec& spec) {
  require(q.defined() && k.defined() && v.defined(), name, ": given an empty tensor");
  require(q.rank() >= 3 && k.rank() >= 3 && q.dim(0) == k.dim(0) && q.dim(-1) == k.dim(-1) && k.shape() == v.shape(),
          name, ": given q ", q.shape(), ", k ", k.shape(), " and v ", v.shape(),
          ", wanted (N, queries, channels), and (N, keys, channels) twice");
  return attention_shape(name, q.shape(), positions(k.shape()), q.dim(-1), heads, spec);
}

template <Real T, Device D>
AttentionShape attention_shape(const char* name, const Tensor<T, D>& qkv, Index heads, const AttentionSpec& spec) {
  require(qkv.defined(), name, ": given an empty tensor");
  require(qkv.rank() >= 3 && qkv.dim(-1) % 3 == 0, name, ": given qkv ", qkv.shape(),
          ", wanted (N, positions, 3 * channels)");
  return attention_shape(name, qkv.shape(), positions(qkv.shape()), qkv.dim(-1) / 3, heads, spec);
}

template <Real T, Device D>
void require_attention_gradient(const char* name, const Tensor<T, D>& dy, const AttentionResult<T, D>& forward,
                                const Shape& y, const AttentionShape& s) {
  Shape const statistics{s.samples, s.heads, 2, s.queries};
  require(dy.shape() == y && forward.y.shape() == y && forward.statistics.shape() == statistics, name,
          ": given gradient ", dy.shape(), ", result ", forward.y.shape(), " and statistics ",
          forward.statistics.shape(), ", wanted ", y, ", ", y, " and ", statistics);
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
AttentionResult<T, D> attention(const Tensor<T, D>& q, const Tensor<T, D>& k, const Tensor<T, D>& v, Index heads,
                                const AttentionSpec& spec) {
  auto const s = detail::attention_shape("attention", q, k, v, heads, spec);
  Index const channels = s.heads * s.dim;
  AttentionResult<T, D> out{Tensor<T, D>(q.shape()), Tensor<accumulate_t<T>, D>({s.samples, s.heads, 2, s.queries})};
  using cpu::attention;
  attention<T>(detail::Rows<T, D>{q.data(), channels}, {k.data(), channels}, {v.data(), channels},
               {out.y.data(), channels}, out.statistics.data(), s);
  return out;
}

template <Real T, Device D>
AttentionGradients<T, D> attention_backward(const Tensor<T, D>& dy, const Tensor<T, D>& q, const Tensor<T, D>& k,
                                            const Tensor<T, D>& v, const AttentionResult<T, D>& forward, Index heads,
                                            const AttentionSpec& spec) {
  auto const s = detail::attention_shape("attention_backward", q, k, v, heads, spec);
  detail::require_attention_gradient("attention_backward", dy, forward, q.shape(), s);
  Index const channels = s.heads * s.dim;
  AttentionGradients<T, D> g{Tensor<T, D>(q.shape()), Tensor<T, D>(k.shape()), Tensor<T, D>(v.shape())};
  using cpu::attention_backward;
  attention_backward<T>(detail::Rows<T, D>{q.data(), channels}, {k.data(), channels}, {v.data(), channels},
                        {forward.y.data(), channels}, dy.data(), forward.statistics.data(), g.q.data(), g.k.data(),
                        g.v.data(), s);
  return g;
}

template <Real T, Device D>
AttentionResult<T, D> attention_qkv(const Tensor<T, D>& qkv, Index heads, const AttentionSpec& spec) {
  auto const s = detail::attention_shape("attention_qkv", qkv, heads, spec);
  Index const channels = s.heads * s.dim, stride = 3 * channels;
  auto const q = qkv.data();
  AttentionResult<T, D> out{Tensor<T, D>(qkv.shape().with(-1, channels)),
                            Tensor<accumulate_t<T>, D>({s.samples, s.heads, 2, s.queries})};
  using cpu::attention;
  attention<T>(detail::Rows<T, D>{q, stride}, {q + channels, stride}, {q + 2 * channels, stride},
               {out.y.data(), channels}, out.statistics.data(), s);
  return out;
}

template <Real T, Device D>
Tensor<T, D> attention_qkv_backward(const Tensor<T, D>& dy, const Tensor<T, D>& qkv,
                                    const AttentionResult<T, D>& forward, Index heads, const AttentionSpec& spec) {
  auto const s = detail::attention_shape("attention_qkv_backward", qkv, heads, spec);
  Index const channels = s.heads * s.dim, stride = 3 * channels;
  detail::require_attention_gradient("attention_qkv_backward", dy, forward, qkv.shape().with(-1, channels), s);
  auto const q = qkv.data();
  Tensor<T, D> g(qkv.shape());
  using cpu::attention_backward;
  attention_backward<T>(detail::Rows<T, D>{q, stride}, {q + channels, stride}, {q + 2 * channels, stride},
                        {forward.y.data(), channels}, dy.data(), forward.statistics.data(), g.data(),
                        g.data() + channels, g.data() + 2 * channels, s);
  return g;
}

#define STIPPLE_INSTANCES(T, D)                                                                                        \
  template AttentionResult<T, D> attention<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<T, D>&, Index, \
                                                 const AttentionSpec&);                                                \
  template AttentionGradients<T, D> attention_backward<T, D>(                                                          \
      const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<T, D>&,                              \
      const AttentionResult<T, D>&, Index, const AttentionSpec&);                                                      \
  template AttentionResult<T, D> attention_qkv<T, D>(const Tensor<T, D>&, Index, const AttentionSpec&);                \
  template Tensor<T, D> attention_qkv_backward<T, D>(const Tensor<T, D>&, const Tensor<T, D>&,                         \
                                                     const AttentionResult<T, D>&, Index, const AttentionSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
