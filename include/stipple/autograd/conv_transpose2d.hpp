// Gradient of the transposed convolution.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/conv_transpose2d.hpp>

namespace stipple {

/// Transposed convolution of x (N, h, w, C) with weight (kH, kW, O / groups, C), plus bias (O), which may be undefined.
template <Real T, Device D>
Var<T, D> conv_transpose2d(const Var<T, D>& x, const Var<T, D>& weight, const ConvTranspose2dSpec& spec,
                           const Var<accumulate_t<T>, D>& bias = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> conv_transpose2d(const Var<T, D>& x, const Var<T, D>& weight, const ConvTranspose2dSpec& spec,
                           const Var<accumulate_t<T>, D>& bias) {
  return record(
      ops::conv_transpose2d(x.value(), weight.value(), spec, bias.value()), std::tie(x, weight, bias),
      [kept = autograd::Kept(x), shape = x.shape(), w = weight.value(), spec, needs_x = x.requires_grad(),
       needs_weight = weight.requires_grad(), needs_bias = bias.requires_grad()](const Tensor<T, D>& dy) {
        using Full = Tensor<accumulate_t<T>, D>;
        auto dw = needs_weight ? ops::conv_transpose2d_backward_weight(dy, kept.value(), w.shape(), spec) : Full();
        return std::tuple(needs_x ? ops::conv_transpose2d_backward_input(dy, w, shape, spec) : Tensor<T, D>(),
                          std::move(dw),
                          needs_bias ? ops::sum_to<accumulate_t<T>>(dy, Tensor<T, D>(), {dy.dim(3)}) : Full());
      });
}

#define STIPPLE_INSTANCES(T, D)                                                                             \
  template Var<T, D> conv_transpose2d<T, D>(const Var<T, D>&, const Var<T, D>&, const ConvTranspose2dSpec&, \
                                            const Var<accumulate_t<T>, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
