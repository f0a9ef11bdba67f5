// Linear attention (Shen et al. 2021, "Efficient attention", with both softmaxes): cost linear in the positions.
#pragma once

#include <stipple/backend/linear_attention_shape.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// The result (N, ..., heads * head_dim), and for the backward pass the context (N, heads, head_dim, head_dim) and the
/// largest k and one over the sum of exponentials of each channel, (N, heads, 2, head_dim).
template <Real T, Device D>
struct LinearAttentionResult {
  Tensor<T, D> y;
  Tensor<accumulate_t<T>, D> context, statistics;
};

/// In every head, q becomes its softmax over the channels times head_dim^-1/2, k its softmax over the positions, and
///   context[d][e] = sum over positions l of k[l][d] v[l][e],   y[l][e] = sum over d of q[l][d] context[d][e].
/// qkv (N, positions, 3 * heads * head_dim), or an image (N, H, W, ...), holds q, k and v side by side in its channels,
/// in this order; y is (N, ..., heads * head_dim).
template <Real T, Device D>
LinearAttentionResult<T, D> linear_attention_qkv(const Tensor<T, D>& qkv, Index heads, Index head_dim);

/// Gradient with respect to qkv from that of the result, dy; `forward` is what `linear_attention_qkv` returned.
template <Real T, Device D>
Tensor<T, D> linear_attention_qkv_backward(const Tensor<T, D>& dy, const Tensor<T, D>& qkv,
                                           const LinearAttentionResult<T, D>& forward, Index heads, Index head_dim);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/linear_attention.hpp>

namespace stipple::ops::detail {

template <Real T, Device D>
LinearAttentionShape linear_attention_shape(const char* name, const Tensor<T, D>& qkv, Index heads, Index head_dim) {
  require(qkv.defined(), name, ": given an empty tensor");
  require(heads >= 1 && head_dim >= 1, name, ": given ", heads, " heads of size ", head_dim,
          ", wanted one or more of each");
  require(
      qkv.rank() >= 3 && qkv.dim(-1) % 3 == 0 && qkv.dim(-1) / 3 % heads == 0 && qkv.dim(-1) / 3 / heads == head_dim,
      name, ": given qkv ", qkv.shape(), " for ", heads, " heads of size ", head_dim,
      ", wanted (N, positions, 3 * heads * size)");
  Index const positions = qkv.shape().count(1, qkv.rank() - 1);
  require(positions >= 1, name, ": given qkv ", qkv.shape(), ", wanted one position or more");
  return {qkv.dim(0), heads, positions, head_dim};
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
LinearAttentionResult<T, D> linear_attention_qkv(const Tensor<T, D>& qkv, Index heads, Index head_dim) {
  auto const s = detail::linear_attention_shape("linear_attention_qkv", qkv, heads, head_dim);
  LinearAttentionResult<T, D> out{Tensor<T, D>(qkv.shape().with(-1, heads * head_dim)),
                                  Tensor<accumulate_t<T>, D>({s.samples, heads, head_dim, head_dim}),
                                  Tensor<accumulate_t<T>, D>({s.samples, heads, 2, head_dim})};
  using cpu::linear_attention;
  linear_attention<T>(qkv.data(), out.y.data(), out.context.data(), out.statistics.data(), s);
  return out;
}

template <Real T, Device D>
Tensor<T, D> linear_attention_qkv_backward(const Tensor<T, D>& dy, const Tensor<T, D>& qkv,
                                           const LinearAttentionResult<T, D>& forward, Index heads, Index head_dim) {
  auto const s = detail::linear_attention_shape("linear_attention_qkv_backward", qkv, heads, head_dim);
  Shape const y = qkv.shape().with(-1, heads * head_dim), context{s.samples, heads, head_dim, head_dim},
              statistics{s.samples, heads, 2, head_dim};
  require(dy.shape() == y && forward.context.shape() == context && forward.statistics.shape() == statistics,
          "linear_attention_qkv_backward: given gradient ", dy.shape(), ", context ", forward.context.shape(),
          " and statistics ", forward.statistics.shape(), ", wanted ", y, ", ", context, " and ", statistics);
  Tensor<T, D> g(qkv.shape());
  using cpu::linear_attention_backward;
  linear_attention_backward<T>(dy.data(), qkv.data(), forward.context.data(), forward.statistics.data(), g.data(), s);
  return g;
}

#define STIPPLE_INSTANCES(T, D)                                                                       \
  template LinearAttentionResult<T, D> linear_attention_qkv<T, D>(const Tensor<T, D>&, Index, Index); \
  template Tensor<T, D> linear_attention_qkv_backward<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, \
                                                            const LinearAttentionResult<T, D>&, Index, Index);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
