// Gradient of group normalisation.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/group_norm.hpp>

namespace stipple {

/// activation((x - mean) rstd weight + bias), see ops::group_norm. Of the forward pass only x and the statistics are
/// kept, on the CPU by what reads the result too; weight and bias may be undefined.
template <Real T, Device D>
Var<T, D> group_norm(const Var<T, D>& x, const Var<accumulate_t<T>, D>& weight, const Var<accumulate_t<T>, D>& bias,
                     const GroupNormSpec& spec = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> group_norm(const Var<T, D>& x, const Var<accumulate_t<T>, D>& weight, const Var<accumulate_t<T>, D>& bias,
                     const GroupNormSpec& spec) {
  auto out = ops::group_norm(x.value(), weight.value(), bias.value(), spec);
  autograd::Kept const kept(x);
  auto y = record(std::move(out.y), std::tie(x, weight, bias),
                  [kept, w = weight.value(), b = bias.value(), mean = std::move(out.mean), rstd = std::move(out.rstd),
                   spec](const Tensor<T, D>& dy) {
                    auto g = ops::group_norm_backward(dy, kept.value(), w, b, mean, rstd, spec);
                    return std::tuple(std::move(g.x), std::move(g.weight), std::move(g.bias));
                  });
  return autograd::made_again_by(std::move(y), [kept, w = weight.value(), b = bias.value(), spec] {
    return ops::group_norm(kept.value(), w, b, spec).y;
  });
}

#define STIPPLE_INSTANCES(T, D)                                                         \
  template Var<T, D> group_norm<T, D>(const Var<T, D>&, const Var<accumulate_t<T>, D>&, \
                                      const Var<accumulate_t<T>, D>&, const GroupNormSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
