// Convolution of images (N, H, W, C).
#pragma once

#include <stipple/backend/cpu/conv2d.hpp>
#include <stipple/core/compiled.hpp>
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
STIPPLE_INLINE cpu::ConvDims conv2d_dims(const Shape& x, const Shape& weight, const Conv2dSpec& s);

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

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

namespace stipple::ops::detail {

STIPPLE_INLINE void check_conv_spec(const char* name, const Conv2dSpec& s) {
  constexpr Index most = 1 << 20;  // so that extents never overflow
  auto const within = [](Index value, Index least) { return least <= value && value <= most; };
  require(within(s.stride, 1) && within(s.padding, 0) && within(s.dilation, 1) && within(s.groups, 1), name,
          ": given stride ", s.stride, ", padding ", s.padding, ", dilation ", s.dilation, ", groups ", s.groups,
          ", wanted a padding of 0 or more, the others 1 or more, and none above ", most);
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

STIPPLE_INLINE cpu::ConvDims conv2d_dims(const Shape& x, const Shape& weight, const Conv2dSpec& s) {
  detail::check_conv_spec("conv2d", s);
  require(x.rank() == 4 && weight.rank() == 4, "conv2d: given x ", x, " and weight ", weight,
          ", wanted x (N, H, W, C) and weight (kH, kW, C / groups, O)");
  require(weight[2] * s.groups == x[3] && weight[3] % s.groups == 0, "conv2d: given x ", x, ", weight ", weight,
          " and ", s.groups, " groups, wanted weight (kH, kW, C / groups, O) with groups dividing C and O");
  cpu::ConvDims d{x[0], x[1], x[2],     x[3],      weight[0],  weight[1], weight[3],
                  0,    0,    s.stride, s.padding, s.dilation, s.groups};
  Index const reach_h = d.h + 2 * d.padding - d.dilation * (d.kh - 1),
              reach_w = d.w + 2 * d.padding - d.dilation * (d.kw - 1);
  require(d.kh >= 1 && d.kw >= 1 && reach_h >= 1 && reach_w >= 1, "conv2d: given a kernel of ", d.kh, " x ", d.kw,
          " with dilation ", d.dilation, " for an image of ", d.h, " x ", d.w, " padded by ", d.padding,
          ", wanted one that fits");
  d.oh = (reach_h - 1) / d.stride + 1;
  d.ow = (reach_w - 1) / d.stride + 1;
  return d;
}

template <Real T, Device D>
Tensor<T, D> conv2d(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Conv2dSpec& spec,
                    const Tensor<accumulate_t<T>, D>& bias, const Tensor<T, D>& addend, const Tensor<T, D>& residual) {
  auto const d = conv2d_dims(x.shape(), weight.shape(), spec);
  require(!bias.defined() || bias.shape() == Shape{d.o}, "conv2d: given bias ", bias.shape(), ", wanted (", d.o, ")");
  require(!addend.defined() || addend.shape() == Shape{d.n, d.o}, "conv2d: given addend ", addend.shape(), ", wanted (",
          d.n, ", ", d.o, ")");
  Tensor<T, D> y({d.n, d.oh, d.ow, d.o});
  require(!residual.defined() || residual.shape() == y.shape(), "conv2d: given residual ", residual.shape(),
          ", wanted ", y.shape());
  cpu::conv2d(x.data(), weight.data(), bias.defined() ? bias.data() : nullptr,
              addend.defined() ? addend.data() : nullptr, residual.defined() ? residual.data() : nullptr, y.data(), d);
  return y;
}

template <Real T, Device D>
Tensor<T, D> conv2d_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight, const Shape& x,
                                   const Conv2dSpec& spec) {
  auto const d = conv2d_dims(x, weight.shape(), spec);
  require(dy.shape() == Shape{d.n, d.oh, d.ow, d.o}, "conv2d_backward_input: given dy ", dy.shape(), ", wanted (", d.n,
          ", ", d.oh, ", ", d.ow, ", ", d.o, ")");
  Tensor<T, D> dx(x);
  cpu::conv2d_backward_input<T>(dy.data(), weight.data(), nullptr, dx.data(), d);
  return dx;
}

template <Real T, Device D>
Tensor<accumulate_t<T>, D> conv2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x, const Shape& weight,
                                                  const Conv2dSpec& spec) {
  auto const d = conv2d_dims(x.shape(), weight, spec);
  require(dy.shape() == Shape{d.n, d.oh, d.ow, d.o}, "conv2d_backward_weight: given dy ", dy.shape(), ", wanted (", d.n,
          ", ", d.oh, ", ", d.ow, ", ", d.o, ")");
  Tensor<accumulate_t<T>, D> dw(weight);
  cpu::conv2d_backward_weight(x.data(), dy.data(), dw.data(), d);
  return dw;
}

#define STIPPLE_INSTANCES(T)                                                                                         \
  template Tensor<T, Cpu> conv2d<T, Cpu>(const Tensor<T, Cpu>&, const Tensor<T, Cpu>&, const Conv2dSpec&,            \
                                         const Tensor<accumulate_t<T>, Cpu>&, const Tensor<T, Cpu>&,                 \
                                         const Tensor<T, Cpu>&);                                                     \
  template Tensor<T, Cpu> conv2d_backward_input<T, Cpu>(const Tensor<T, Cpu>&, const Tensor<T, Cpu>&, const Shape&,  \
                                                        const Conv2dSpec&);                                          \
  template Tensor<accumulate_t<T>, Cpu> conv2d_backward_weight<T, Cpu>(const Tensor<T, Cpu>&, const Tensor<T, Cpu>&, \
                                                                       const Shape&, const Conv2dSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
