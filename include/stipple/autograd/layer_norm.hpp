// Gradient of layer normalisation.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/layer_norm.hpp>

namespace stipple {

/// (x - mean) rstd weight + bias over the last axis, see ops::layer_norm; weight and bias may be undefined.
template <Real T, Device D>
Var<T, D> layer_norm(const Var<T, D>& x, const Var<accumulate_t<T>, D>& weight, const Var<accumulate_t<T>, D>& bias,
                     double eps = 1e-5);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> layer_norm(const Var<T, D>& x, const Var<accumulate_t<T>, D>& weight, const Var<accumulate_t<T>, D>& bias,
                     double eps) {
  auto out = ops::layer_norm(x.value(), weight.value(), bias.value(), eps);
  return record(std::move(out.y), std::tie(x, weight, bias),
                [kept = autograd::Kept(x), w = weight.value(), b = bias.value(), mean = std::move(out.mean),
                 rstd = std::move(out.rstd)](const Tensor<T, D>& dy) {
                  auto g = ops::layer_norm_backward(dy, kept.value(), w, b, mean, rstd);
                  return std::tuple(std::move(g.x), std::move(g.weight), std::move(g.bias));
                });
}

#define STIPPLE_INSTANCES(T, D)                                                         \
  template Var<T, D> layer_norm<T, D>(const Var<T, D>&, const Var<accumulate_t<T>, D>&, \
                                      const Var<accumulate_t<T>, D>&, double);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
