// Gradient of the convolution.
#pragma once

#include <stipple/autograd/group_norm.hpp>
#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/conv2d.hpp>

namespace stipple {

/// What a convolution adds to its result; each may be undefined.
template <Real T, Device D>
struct ConvEpilogue {
  Var<accumulate_t<T>, D> bias;  ///< (O)
  Var<T, D> addend;              ///< (N, O), at every pixel: a time embedding
  Var<T, D> residual;            ///< of the result's shape
};

/// conv(x, weight) + bias + addend + residual. x (N, H, W, C), weight (kH, kW, C / groups, O).
template <Real T, Device D>
Var<T, D> conv2d(const Var<T, D>& x, const Var<T, D>& weight, const Conv2dSpec& spec, const ConvEpilogue<T, D>& e = {});

/// A group norm before a convolution; weight and bias (C) may be undefined.
template <Real T, Device D>
struct ConvPrologue {
  Var<accumulate_t<T>, D> weight, bias;
  GroupNormSpec spec;
};

/// conv(group_norm(x), weight) + bias + addend + residual. Where the convolution can normalise what it reads
/// (ops::has_norm_conv2d and takes_prologue), the normalised values are never written to memory nor kept for backward.
template <Real T, Device D>
Var<T, D> norm_conv2d(const Var<T, D>& x, const ConvPrologue<T, D>& norm, const Var<T, D>& weight,
                      const Conv2dSpec& spec, const ConvEpilogue<T, D>& e = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> conv2d(const Var<T, D>& x, const Var<T, D>& weight, const Conv2dSpec& spec, const ConvEpilogue<T, D>& e) {
  return record(ops::conv2d(x.value(), weight.value(), spec, e.bias.value(), e.addend.value(), e.residual.value()),
                std::tie(x, weight, e.bias, e.addend, e.residual),
                [kept = autograd::Kept(x), shape = x.shape(), w = weight.value(), spec, needs_x = x.requires_grad(),
                 needs_weight = weight.requires_grad(), needs_bias = e.bias.requires_grad(),
                 needs_addend = e.addend.requires_grad()](const Tensor<T, D>& dy) {
                  using Full = Tensor<accumulate_t<T>, D>;
                  Index const n = dy.dim(0), o = dy.dim(3);
                  auto addend = needs_addend ? ops::sum_to<T>(dy, Tensor<T, D>(), {n, o}) : Tensor<T, D>();
                  auto dw = needs_weight ? ops::conv2d_backward_weight(dy, kept.value(), w.shape(), spec) : Full();
                  return std::tuple(needs_x ? ops::conv2d_backward_input(dy, w, shape, spec) : Tensor<T, D>(),
                                    std::move(dw),
                                    needs_bias ? ops::sum_to<accumulate_t<T>>(dy, Tensor<T, D>(), {o}) : Full(),
                                    std::move(addend), dy);
                });
}

namespace detail {

// Throws unless ops::takes_prologue.
template <Real T, Device D>
Var<T, D> fused_norm_conv2d(const Var<T, D>& x, const ConvPrologue<T, D>& norm, const Var<T, D>& weight,
                            const Conv2dSpec& spec, const ConvEpilogue<T, D>& e) {
  ops::NormPrologue<T, D> const prologue{norm.weight.value(), norm.bias.value(), norm.spec};
  auto out =
      ops::norm_conv2d(x.value(), prologue, weight.value(), spec, e.bias.value(), e.addend.value(), e.residual.value());
  return record(std::move(out.y), std::tie(x, norm.weight, norm.bias, weight, e.bias, e.addend, e.residual),
                [kept = autograd::Kept(x), prologue, mean = std::move(out.mean), rstd = std::move(out.rstd),
                 w = weight.value(), spec, needs_weight = weight.requires_grad(), needs_bias = e.bias.requires_grad(),
                 needs_addend = e.addend.requires_grad()](const Tensor<T, D>& dy) {
                  using Full = Tensor<accumulate_t<T>, D>;
                  Index const n = dy.dim(0), o = dy.dim(3);
                  auto const input = kept.value();
                  auto dw = needs_weight
                                ? ops::norm_conv2d_backward_weight(dy, input, prologue, mean, rstd, w.shape(), spec)
                                : Full();
                  auto g = ops::group_norm_backward(ops::conv2d_backward_input(dy, w, input.shape(), spec), input,
                                                    prologue.weight, prologue.bias, mean, rstd, prologue.spec);
                  return std::tuple(std::move(g.x), std::move(g.weight), std::move(g.bias), std::move(dw),
                                    needs_bias ? ops::sum_to<accumulate_t<T>>(dy, Tensor<T, D>(), {o}) : Full(),
                                    needs_addend ? ops::sum_to<T>(dy, Tensor<T, D>(), {n, o}) : Tensor<T, D>(), dy);
                });
}

}  // namespace detail

template <Real T, Device D>
Var<T, D> norm_conv2d(const Var<T, D>& x, const ConvPrologue<T, D>& norm, const Var<T, D>& weight,
                      const Conv2dSpec& spec, const ConvEpilogue<T, D>& e) {
  if constexpr (ops::has_norm_conv2d<D>)
    if (ops::takes_prologue(x.shape(), weight.shape(), spec))
      return detail::fused_norm_conv2d(x, norm, weight, spec, e);
  return conv2d(group_norm(x, norm.weight, norm.bias, norm.spec), weight, spec, e);
}

#define STIPPLE_INSTANCES(T, D)                                                                                      \
  template Var<T, D> conv2d<T, D>(const Var<T, D>&, const Var<T, D>&, const Conv2dSpec&, const ConvEpilogue<T, D>&); \
  template Var<T, D> norm_conv2d<T, D>(const Var<T, D>&, const ConvPrologue<T, D>&, const Var<T, D>&,                \
                                       const Conv2dSpec&, const ConvEpilogue<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
