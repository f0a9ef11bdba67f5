// Gradients of scaled-dot-product attention.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/attention.hpp>

namespace stipple {

/// softmax(scale q k^T) v in every head; see ops::attention.
template <Real T, Device D>
Var<T, D> attention(const Var<T, D>& q, const Var<T, D>& k, const Var<T, D>& v, Index heads, AttentionSpec spec = {});

/// Self-attention on q, k and v side by side in the channels of one tensor; see ops::attention_qkv.
template <Real T, Device D>
Var<T, D> attention_qkv(const Var<T, D>& qkv, Index heads, AttentionSpec spec = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> attention(const Var<T, D>& q, const Var<T, D>& k, const Var<T, D>& v, Index heads, AttentionSpec spec) {
  auto const out = ops::attention(q.value(), k.value(), v.value(), heads, spec);
  return record(out.y, std::tie(q, k, v),
                [q = q.value(), k = k.value(), v = v.value(), out, heads, spec](const Tensor<T, D>& dy) {
                  auto g = ops::attention_backward(dy, q, k, v, out, heads, spec);
                  return std::tuple(std::move(g.q), std::move(g.k), std::move(g.v));
                });
}

template <Real T, Device D>
Var<T, D> attention_qkv(const Var<T, D>& qkv, Index heads, AttentionSpec spec) {
  auto const out = ops::attention_qkv(qkv.value(), heads, spec);
  return record(out.y, std::tie(qkv), [qkv = qkv.value(), out, heads, spec](const Tensor<T, D>& dy) {
    return std::tuple(ops::attention_qkv_backward(dy, qkv, out, heads, spec));
  });
}

#define STIPPLE_INSTANCES(T, D)                                                                                   \
  template Var<T, D> attention<T, D>(const Var<T, D>&, const Var<T, D>&, const Var<T, D>&, Index, AttentionSpec); \
  template Var<T, D> attention_qkv<T, D>(const Var<T, D>&, Index, AttentionSpec);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
