// Convolution of images (N, H, W, C).
#pragma once

#include <stipple/backend/conv_dims.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/group_norm.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The same in both directions. A depthwise convolution has as many groups as channels.
struct Conv2dSpec {
  Index stride = 1, padding = 0, dilation = 1, groups = 1;
};

namespace ops {

namespace detail {
STIPPLE_INLINE void check_conv_spec(const char* name, const Conv2dSpec& s);
}  // namespace detail

/// Extents for x of shape (N, H, W, C) and a weight (kH, kW, C / groups, O); throws a sentence if they don't fit.
STIPPLE_INLINE ConvDims conv2d_dims(const Shape& x, const Shape& weight, const Conv2dSpec& s);

/// conv(x, weight) [+ bias (O)] [+ addend (N, O) at every pixel] [+ residual, of the result's shape]. What is undefined
/// is left out.
template <Real T, Device D>
Tensor<T, D> conv2d(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Conv2dSpec& spec,
                    const Tensor<accumulate_t<T>, D>& bias = {}, const Tensor<T, D>& addend = {},
                    const Tensor<T, D>& residual = {});

/// Gradient with respect to x, of shape `x`.
template <Real T, Device D>
Tensor<T, D> conv2d_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight, const Shape& x,
                                   const Conv2dSpec& spec);

/// Gradient with respect to the weight, of shape `weight`, in the accumulation type.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> conv2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x, const Shape& weight,
                                                  const Conv2dSpec& spec);

/// A group norm before a convolution. weight and bias (C) may be undefined.
template <Real T, Device D>
struct NormPrologue {
  Tensor<accumulate_t<T>, D> weight, bias;
  GroupNormSpec spec;
};

/// True on devices whose convolutions can normalise what they read.
template <Device D>
inline constexpr bool has_norm_conv2d = std::same_as<D, Cpu>;

/// True if the convolution can normalise what it reads; otherwise the norm has to be an operation of its own. Those
/// that can't are 1x1 convolutions and grouped ones.
STIPPLE_INLINE bool takes_prologue(const Shape& x, const Shape& weight, const Conv2dSpec& spec);

/// conv(group_norm(x)) + ..., where the normalised values are never written to memory: y, and the statistics of x.
/// Throws unless `takes_prologue`. Where `has_norm_conv2d`, as its gradient.
template <Real T, Device D>
GroupNormResult<T, D> norm_conv2d(const Tensor<T, D>& x, const NormPrologue<T, D>& norm, const Tensor<T, D>& weight,
                                  const Conv2dSpec& spec, const Tensor<accumulate_t<T>, D>& bias = {},
                                  const Tensor<T, D>& addend = {}, const Tensor<T, D>& residual = {});

/// Gradient of its weight; that of its input is `conv2d_backward_input`, then `group_norm_backward`.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> norm_conv2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                                       const NormPrologue<T, D>& norm,
                                                       const Tensor<accumulate_t<T>, D>& mean,
                                                       const Tensor<accumulate_t<T>, D>& rstd, const Shape& weight,
                                                       const Conv2dSpec& spec);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/conv2d.hpp>

namespace stipple::ops::detail {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE void check_conv_spec(const char* name, const Conv2dSpec& s) {
  constexpr Index most = 1 << 20;  // so that extents never overflow
  auto const within = [](Index value, Index least) { return least <= value && value <= most; };
  require(within(s.stride, 1) && within(s.padding, 0) && within(s.dilation, 1) && within(s.groups, 1), name,
          ": given stride ", s.stride, ", padding ", s.padding, ", dilation ", s.dilation, ", groups ", s.groups,
          ", wanted a padding of 0 or more, the others 1 or more, and none above ", most);
}
#endif

/// Checks the operands of a convolution's epilogue.
template <Real T, Device D>
void check_epilogue(const ConvDims& d, const Tensor<accumulate_t<T>, D>& bias, const Tensor<T, D>& addend,
                    const Tensor<T, D>& residual) {
  Shape const y{d.n, d.oh, d.ow, d.o};
  require(!bias.defined() || bias.shape() == Shape{d.o}, "conv2d: given bias ", bias.shape(), ", wanted (", d.o, ")");
  require(!addend.defined() || addend.shape() == Shape{d.n, d.o}, "conv2d: given addend ", addend.shape(), ", wanted (",
          d.n, ", ", d.o, ")");
  require(!residual.defined() || residual.shape() == y, "conv2d: given residual ", residual.shape(), ", wanted ", y);
}

/// The kernel's view of a norm with its statistics.
template <Real T, Device D>
cpu::NormPrologue<T> norm_prologue(const NormPrologue<T, D>& norm, const Tensor<accumulate_t<T>, D>& mean,
                                   const Tensor<accumulate_t<T>, D>& rstd) {
  return {mean.data(), rstd.data(), norm.weight.data(), norm.bias.data(), norm.spec.groups, norm.spec.activation};
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE ConvDims conv2d_dims(const Shape& x, const Shape& weight, const Conv2dSpec& s) {
  detail::check_conv_spec("conv2d", s);
  require(x.rank() == 4 && weight.rank() == 4, "conv2d: given x ", x, " and weight ", weight,
          ", wanted x (N, H, W, C) and weight (kH, kW, C / groups, O)");
  require(weight[2] * s.groups == x[3] && weight[3] % s.groups == 0, "conv2d: given x ", x, ", weight ", weight,
          " and ", s.groups, " groups, wanted weight (kH, kW, C / groups, O) with groups dividing C and O");
  ConvDims d{x[0], x[1], x[2], x[3], weight[0], weight[1], weight[3], 0, 0, s.stride, s.padding, s.dilation, s.groups};
  Index const reach_h = d.h + 2 * d.padding - d.dilation * (d.kh - 1),
              reach_w = d.w + 2 * d.padding - d.dilation * (d.kw - 1);
  require(d.kh >= 1 && d.kw >= 1 && reach_h >= 1 && reach_w >= 1, "conv2d: given a kernel of ", d.kh, " x ", d.kw,
          " with dilation ", d.dilation, " for an image of ", d.h, " x ", d.w, " padded by ", d.padding,
          ", wanted one that fits");
  d.oh = (reach_h - 1) / d.stride + 1;
  d.ow = (reach_w - 1) / d.stride + 1;
  return d;
}
#endif

template <Real T, Device D>
Tensor<T, D> conv2d(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Conv2dSpec& spec,
                    const Tensor<accumulate_t<T>, D>& bias, const Tensor<T, D>& addend, const Tensor<T, D>& residual) {
  auto const d = conv2d_dims(x.shape(), weight.shape(), spec);
  detail::check_epilogue<T>(d, bias, addend, residual);
  Tensor<T, D> y({d.n, d.oh, d.ow, d.o});
  using cpu::conv2d;
  conv2d<T>(x.data(), weight.data(), bias.data(), addend.data(), residual.data(), y.data(), d);
  return y;
}

template <Real T, Device D>
Tensor<T, D> conv2d_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight, const Shape& x,
                                   const Conv2dSpec& spec) {
  auto const d = conv2d_dims(x, weight.shape(), spec);
  require(dy.shape() == Shape{d.n, d.oh, d.ow, d.o}, "conv2d_backward_input: given dy ", dy.shape(), ", wanted (", d.n,
          ", ", d.oh, ", ", d.ow, ", ", d.o, ")");
  Tensor<T, D> dx(x);
  using cpu::conv2d_backward_input;
  conv2d_backward_input<T>(dy.data(), weight.data(), nullptr, dx.data(), d);
  return dx;
}

template <Real T, Device D>
Tensor<accumulate_t<T>, D> conv2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x, const Shape& weight,
                                                  const Conv2dSpec& spec) {
  auto const d = conv2d_dims(x.shape(), weight, spec);
  require(dy.shape() == Shape{d.n, d.oh, d.ow, d.o}, "conv2d_backward_weight: given dy ", dy.shape(), ", wanted (", d.n,
          ", ", d.oh, ", ", d.ow, ", ", d.o, ")");
  Tensor<accumulate_t<T>, D> dw(weight);
  using cpu::conv2d_backward_weight;
  conv2d_backward_weight<T>(x.data(), dy.data(), dw.data(), d);
  return dw;
}

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE bool takes_prologue(const Shape& x, const Shape& weight, const Conv2dSpec& spec) {
  return cpu::takes_prologue(conv2d_dims(x, weight, spec));
}
#endif

template <Real T, Device D>
GroupNormResult<T, D> norm_conv2d(const Tensor<T, D>& x, const NormPrologue<T, D>& norm, const Tensor<T, D>& weight,
                                  const Conv2dSpec& spec, const Tensor<accumulate_t<T>, D>& bias,
                                  const Tensor<T, D>& addend, const Tensor<T, D>& residual) {
  auto const d = conv2d_dims(x.shape(), weight.shape(), spec);
  require(cpu::takes_prologue(d), "norm_conv2d: given a kernel of ", d.kh, " x ", d.kw, " and ", d.groups,
          " groups, wanted one group and more than 1 x 1");
  detail::check_epilogue<T>(d, bias, addend, residual);
  auto const plan = detail::group_norm_shape("norm_conv2d", x, norm.weight, norm.bias, norm.spec);
  GroupNormResult<T, D> out{Tensor<T, D>({d.n, d.oh, d.ow, d.o}),
                            Tensor<accumulate_t<T>, D>({plan.samples, plan.groups}),
                            Tensor<accumulate_t<T>, D>({plan.samples, plan.groups})};
  cpu::group_norm<T>(x.data(), nullptr, nullptr, nullptr, out.mean.data(), out.rstd.data(), nullptr, plan,
                     norm.spec.eps, Activation::none);
  auto const prologue = detail::norm_prologue(norm, out.mean, out.rstd);
  cpu::conv2d(x.data(), weight.data(), bias.data(), addend.data(), residual.data(), out.y.data(), d, &prologue);
  return out;
}

template <Real T, Device D>
Tensor<accumulate_t<T>, D> norm_conv2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                                       const NormPrologue<T, D>& norm,
                                                       const Tensor<accumulate_t<T>, D>& mean,
                                                       const Tensor<accumulate_t<T>, D>& rstd, const Shape& weight,
                                                       const Conv2dSpec& spec) {
  auto const d = conv2d_dims(x.shape(), weight, spec);
  require(cpu::takes_prologue(d) && dy.shape() == Shape{d.n, d.oh, d.ow, d.o}, "norm_conv2d_backward_weight: given dy ",
          dy.shape(), " and weight ", weight, ", wanted dy (", d.n, ", ", d.oh, ", ", d.ow, ", ", d.o,
          "), one group and more than 1 x 1");
  auto const plan = detail::group_norm_shape("norm_conv2d_backward_weight", x, norm.weight, norm.bias, norm.spec);
  Shape const statistics{plan.samples, plan.groups};
  require(mean.shape() == statistics && rstd.shape() == statistics,
          "norm_conv2d_backward_weight: given statistics of shapes ", mean.shape(), " and ", rstd.shape(), ", wanted ",
          statistics);
  Tensor<accumulate_t<T>, D> dw(weight);
  auto const prologue = detail::norm_prologue(norm, mean, rstd);
  cpu::conv2d_backward_weight(x.data(), dy.data(), dw.data(), d, &prologue);
  return dw;
}

#define STIPPLE_INSTANCES(T, D)                                                                                    \
  template Tensor<T, D> conv2d<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Conv2dSpec&,                  \
                                     const Tensor<accumulate_t<T>, D>&, const Tensor<T, D>&, const Tensor<T, D>&); \
  template Tensor<T, D> conv2d_backward_input<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Shape&,        \
                                                    const Conv2dSpec&);                                            \
  template Tensor<accumulate_t<T>, D> conv2d_backward_weight<T, D>(const Tensor<T, D>&, const Tensor<T, D>&,       \
                                                                   const Shape&, const Conv2dSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES
#define STIPPLE_INSTANCES(T)                                                                                          \
  template GroupNormResult<T, Cpu> norm_conv2d<T, Cpu>(                                                               \
      const Tensor<T, Cpu>&, const NormPrologue<T, Cpu>&, const Tensor<T, Cpu>&, const Conv2dSpec&,                   \
      const Tensor<accumulate_t<T>, Cpu>&, const Tensor<T, Cpu>&, const Tensor<T, Cpu>&);                             \
  template Tensor<accumulate_t<T>, Cpu> norm_conv2d_backward_weight<T, Cpu>(                                          \
      const Tensor<T, Cpu>&, const Tensor<T, Cpu>&, const NormPrologue<T, Cpu>&, const Tensor<accumulate_t<T>, Cpu>&, \
      const Tensor<accumulate_t<T>, Cpu>&, const Shape&, const Conv2dSpec&);
STIPPLE_INSTANTIATE_CPU(STIPPLE_INSTANCES(float) STIPPLE_INSTANCES(bf16) STIPPLE_INSTANCES(double))
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
