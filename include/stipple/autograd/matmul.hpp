// Gradients of matrix products.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/matmul.hpp>

namespace stipple {

/// a (M, K) times b (K, N), or batches of them.
template <Real T, Device D>
Var<T, D> matmul(const Var<T, D>& a, const Var<T, D>& b);

/// x (..., in) times weight (in, out) plus bias (out), plus residual (..., out); the last two may be undefined.
template <Real T, Device D>
Var<T, D> linear(const Var<T, D>& x, const Var<T, D>& weight, const Var<accumulate_t<T>, D>& bias = {},
                 const Var<T, D>& residual = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> matmul(const Var<T, D>& a, const Var<T, D>& b) {
  return record(
      ops::matmul(a.value(), b.value()), std::tie(a, b),
      [x = a.value(), y = b.value(), needs_a = a.requires_grad(), needs_b = b.requires_grad()](const Tensor<T, D>& dy) {
        return std::tuple(needs_a ? ops::matmul(dy, y, {.transpose_b = true}) : Tensor<T, D>(),
                          needs_b ? ops::matmul(x, dy, {.transpose_a = true}) : Tensor<T, D>());
      });
}

template <Real T, Device D>
Var<T, D> linear(const Var<T, D>& x, const Var<T, D>& weight, const Var<accumulate_t<T>, D>& bias,
                 const Var<T, D>& residual) {
  return record(ops::linear(x.value(), weight.value(), bias.value(), residual.value()),
                std::tie(x, weight, bias, residual),
                [kept = autograd::Kept(x), w = weight.value(), needs_x = x.requires_grad(),
                 needs_weight = weight.requires_grad(), needs_bias = bias.requires_grad()](const Tensor<T, D>& dy) {
                  using Full = Tensor<accumulate_t<T>, D>;
                  Index const out = w.dim(1);
                  auto dw = needs_weight ? ops::linear_backward_weight(dy, kept.value()) : Full();
                  return std::tuple(
                      needs_x ? ops::linear_backward_input(dy, w) : Tensor<T, D>(), std::move(dw),
                      needs_bias ? ops::sum_to<accumulate_t<T>>(dy.reshape({dy.size() / std::max<Index>(1, out), out}),
                                                                Tensor<T, D>(), {out})
                                 : Full(),
                      dy);
                });
}

#define STIPPLE_INSTANCES(T, D)                                        \
  template Var<T, D> matmul<T, D>(const Var<T, D>&, const Var<T, D>&); \
  template Var<T, D> linear<T, D>(const Var<T, D>&, const Var<T, D>&, const Var<accumulate_t<T>, D>&, const Var<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
