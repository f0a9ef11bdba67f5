// Transposed convolution of images (N, H, W, C): the gradient of a convolution used as an upsampling layer.
#pragma once

#include <stipple/backend/conv_dims.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/conv2d.hpp>

namespace stipple {

struct ConvTranspose2dSpec {
  Index stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
};

namespace ops {

/// Extents of the convolution whose input gradient this is: its y is our x (N, h, w, C), its x is our result
/// (N, H, W, O) with H = (h - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1. Weight (kH, kW, O /
/// groups, C), so that both kinds of convolution share their kernels.
STIPPLE_INLINE ConvDims conv_transpose2d_dims(const Shape& x, const Shape& weight, const ConvTranspose2dSpec& s);

/// Transposed convolution [+ bias (O)].
template <Real T, Device D>
Tensor<T, D> conv_transpose2d(const Tensor<T, D>& x, const Tensor<T, D>& weight, const ConvTranspose2dSpec& spec,
                              const Tensor<accumulate_t<T>, D>& bias = {});

/// Gradient with respect to x.
template <Real T, Device D>
Tensor<T, D> conv_transpose2d_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight, const Shape& x,
                                             const ConvTranspose2dSpec& spec);

/// Gradient with respect to the weight, in the accumulation type.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> conv_transpose2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                                            const Shape& weight, const ConvTranspose2dSpec& spec);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/conv_transpose2d.hpp>

namespace stipple::ops {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE ConvDims conv_transpose2d_dims(const Shape& x, const Shape& weight, const ConvTranspose2dSpec& s) {
  detail::check_conv_spec("conv_transpose2d", {s.stride, s.padding, s.dilation, s.groups});
  require(x.rank() == 4 && weight.rank() == 4, "conv_transpose2d: given x ", x, " and weight ", weight,
          ", wanted x (N, H, W, C) and weight (kH, kW, O / groups, C)");
  require(weight[3] == x[3] && x[3] % s.groups == 0, "conv_transpose2d: given x ", x, ", weight ", weight, " and ",
          s.groups, " groups, wanted weight (kH, kW, O / groups, C) with groups dividing C");
  require(s.output_padding >= 0 && (s.output_padding < s.stride || s.output_padding < s.dilation),
          "conv_transpose2d: given output_padding ", s.output_padding, ", wanted less than stride or dilation");
  require(weight[0] >= 1 && weight[1] >= 1, "conv_transpose2d: given a kernel of ", weight[0], " x ", weight[1],
          ", wanted 1 x 1 or more");
  ConvDims d{x[0], 0,        0,         weight[2] * s.groups, weight[0], weight[1], x[3], x[1],
             x[2], s.stride, s.padding, s.dilation,           s.groups};
  d.h = (x[1] - 1) * s.stride - 2 * s.padding + s.dilation * (d.kh - 1) + s.output_padding + 1;
  d.w = (x[2] - 1) * s.stride - 2 * s.padding + s.dilation * (d.kw - 1) + s.output_padding + 1;
  require(x[1] >= 1 && x[2] >= 1 && d.h >= 1 && d.w >= 1, "conv_transpose2d: given x ", x, " and padding ", s.padding,
          ", which leave no pixels");
  return d;
}
#endif

template <Real T, Device D>
Tensor<T, D> conv_transpose2d(const Tensor<T, D>& x, const Tensor<T, D>& weight, const ConvTranspose2dSpec& spec,
                              const Tensor<accumulate_t<T>, D>& bias) {
  auto const d = conv_transpose2d_dims(x.shape(), weight.shape(), spec);
  require(!bias.defined() || bias.shape() == Shape{d.c}, "conv_transpose2d: given bias ", bias.shape(), ", wanted (",
          d.c, ")");
  Tensor<T, D> y({d.n, d.h, d.w, d.c});
  using cpu::conv_transpose2d;
  conv_transpose2d<T>(x.data(), weight.data(), bias.data(), y.data(), d);
  return y;
}

template <Real T, Device D>
Tensor<T, D> conv_transpose2d_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight, const Shape& x,
                                             const ConvTranspose2dSpec& spec) {
  auto const d = conv_transpose2d_dims(x, weight.shape(), spec);
  require(dy.shape() == Shape{d.n, d.h, d.w, d.c}, "conv_transpose2d_backward_input: given dy ", dy.shape(),
          ", wanted (", d.n, ", ", d.h, ", ", d.w, ", ", d.c, ")");
  Tensor<T, D> dx(x);
  using cpu::conv_transpose2d_backward_input;
  conv_transpose2d_backward_input<T>(dy.data(), weight.data(), dx.data(), d);
  return dx;
}

template <Real T, Device D>
Tensor<accumulate_t<T>, D> conv_transpose2d_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                                            const Shape& weight, const ConvTranspose2dSpec& spec) {
  auto const d = conv_transpose2d_dims(x.shape(), weight, spec);
  require(dy.shape() == Shape{d.n, d.h, d.w, d.c}, "conv_transpose2d_backward_weight: given dy ", dy.shape(),
          ", wanted (", d.n, ", ", d.h, ", ", d.w, ", ", d.c, ")");
  Tensor<accumulate_t<T>, D> dw(weight);
  using cpu::conv_transpose2d_backward_weight;
  conv_transpose2d_backward_weight<T>(x.data(), dy.data(), dw.data(), d);
  return dw;
}

#define STIPPLE_INSTANCES(T, D)                                                                                       \
  template Tensor<T, D> conv_transpose2d<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const ConvTranspose2dSpec&,  \
                                               const Tensor<accumulate_t<T>, D>&);                                    \
  template Tensor<T, D> conv_transpose2d_backward_input<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Shape&, \
                                                              const ConvTranspose2dSpec&);                            \
  template Tensor<accumulate_t<T>, D> conv_transpose2d_backward_weight<T, D>(                                         \
      const Tensor<T, D>&, const Tensor<T, D>&, const Shape&, const ConvTranspose2dSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
