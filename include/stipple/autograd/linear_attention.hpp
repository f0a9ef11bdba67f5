// Gradient of linear attention.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/linear_attention.hpp>

namespace stipple {

/// Linear attention on q, k and v side by side in the channels of one tensor; see ops::linear_attention_qkv.
template <Real T, Device D>
Var<T, D> linear_attention_qkv(const Var<T, D>& qkv, Index heads, Index head_dim);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> linear_attention_qkv(const Var<T, D>& qkv, Index heads, Index head_dim) {
  auto out = ops::linear_attention_qkv(qkv.value(), heads, head_dim);
  auto const y = std::exchange(out.y, {});  // the backward pass does without
  return record(y, std::tie(qkv), [qkv = qkv.value(), out, heads, head_dim](const Tensor<T, D>& dy) {
    return std::tuple(ops::linear_attention_qkv_backward(dy, qkv, out, heads, head_dim));
  });
}

#define STIPPLE_INSTANCES(T, D) template Var<T, D> linear_attention_qkv<T, D>(const Var<T, D>&, Index, Index);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
