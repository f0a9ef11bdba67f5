// Conv2d and ConvTranspose2d.
#pragma once

#include <stipple/autograd/conv2d.hpp>
#include <stipple/autograd/conv_transpose2d.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/init.hpp>
#include <stipple/nn/norm.hpp>

namespace stipple {

struct Conv2dConfig {
  static constexpr Index same = -1;  ///< keeps the image's size at stride 1

  Index kernel = 3, stride = 1, padding = same, dilation = 1, groups = 1;
  bool bias = true;
};

/// (N, H, W, in) -> (N, H', W', out). Weights and bias start as PyTorch's. Throws if the groups don't divide the
/// channels, or an even kernel comes without padding.
template <Real T, Device D = Cpu>
struct Conv2d {
  Parameter<T, D> weight;
  Parameter<accumulate_t<T>, D> bias;
  Conv2dSpec spec;

  Conv2d() = default;
  Conv2d(Index in, Index out, Conv2dConfig c, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  /// conv(x) + addend (N, out) at every pixel + residual; either may be undefined.
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& addend, const Var<T, D>& residual = {}) const;
  /// conv(norm(x)) + addend + residual, normalised while the convolution reads x where it can (see norm_conv2d).
  Var<T, D> after(const GroupNorm<T, D>& norm, const Var<T, D>& x, const Var<T, D>& addend = {},
                  const Var<T, D>& residual = {}) const;
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

struct ConvTranspose2dConfig {
  Index kernel = 4, stride = 2, padding = 1, output_padding = 0, groups = 1;
  bool bias = true;
};

/// (N, H, W, in) -> (N, H', W', out) with H' = (H - 1) stride - 2 padding + kernel + output_padding.
template <Real T, Device D = Cpu>
struct ConvTranspose2d {
  Parameter<T, D> weight;
  Parameter<accumulate_t<T>, D> bias;
  ConvTranspose2dSpec spec;

  ConvTranspose2d() = default;
  ConvTranspose2d(Index in, Index out, ConvTranspose2dConfig c, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple::detail {

inline void check_conv_layer(const char* name, Index in, Index out, Index kernel, const Conv2dSpec& spec) {
  Index const groups = spec.groups;
  require(in >= 1 && out >= 1 && kernel >= 1 && groups >= 1 && in % groups == 0 && out % groups == 0, name, ": given ",
          in, " -> ", out, " channels, kernel ", kernel, " and ", groups,
          " groups, wanted at least 1 of each, and groups that divide both");
  ops::detail::check_conv_spec(name, spec);
}

}  // namespace stipple::detail

namespace stipple {

template <Real T, Device D>
Conv2d<T, D>::Conv2d(Index in, Index out, Conv2dConfig c, Rng& rng) {
  detail::check_conv_layer("Conv2d", in, out, c.kernel,
                           {c.stride, c.padding == Conv2dConfig::same ? 0 : c.padding, c.dilation, c.groups});
  require(c.padding != Conv2dConfig::same || c.kernel % 2 == 1, "Conv2d: given the even kernel ", c.kernel,
          " without padding, wanted an explicit padding");
  Shape const shape{c.kernel, c.kernel, in / c.groups, out};
  Index const fan_in = in / c.groups * c.kernel * c.kernel;
  spec = {c.stride, c.padding == Conv2dConfig::same ? c.dilation * (c.kernel - 1) / 2 : c.padding, c.dilation,
          c.groups};
  weight = Parameter<T, D>(default_init<T, D>(shape, fan_in, rng), Layout::conv);
  if (c.bias) bias = Parameter<accumulate_t<T>, D>(default_init<accumulate_t<T>, D>({out}, fan_in, rng));
}

template <Real T, Device D>
Var<T, D> Conv2d<T, D>::operator()(const Var<T, D>& x) const {
  return conv2d(x, weight.var, spec, {bias.var, {}, {}});
}

template <Real T, Device D>
Var<T, D> Conv2d<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& addend, const Var<T, D>& residual) const {
  return conv2d(x, weight.var, spec, {bias.var, addend, residual});
}

template <Real T, Device D>
Var<T, D> Conv2d<T, D>::after(const GroupNorm<T, D>& norm, const Var<T, D>& x, const Var<T, D>& addend,
                              const Var<T, D>& residual) const {
  return norm_conv2d(x, {norm.weight.var, norm.bias.var, norm.spec}, weight.var, spec, {bias.var, addend, residual});
}

template <Real T, Device D>
ConvTranspose2d<T, D>::ConvTranspose2d(Index in, Index out, ConvTranspose2dConfig c, Rng& rng) {
  detail::check_conv_layer("ConvTranspose2d", in, out, c.kernel, {c.stride, c.padding, 1, c.groups});
  require(0 <= c.output_padding && c.output_padding < c.stride, "ConvTranspose2d: given output_padding ",
          c.output_padding, ", wanted 0 or more and less than the stride, ", c.stride);
  Shape const shape{c.kernel, c.kernel, out / c.groups, in};
  Index const fan_in = out / c.groups * c.kernel * c.kernel;  // PyTorch counts the file layout's second extent
  spec = {c.stride, c.padding, c.output_padding, 1, c.groups};
  weight = Parameter<T, D>(default_init<T, D>(shape, fan_in, rng), Layout::conv);
  if (c.bias) bias = Parameter<accumulate_t<T>, D>(default_init<accumulate_t<T>, D>({out}, fan_in, rng));
}

template <Real T, Device D>
Var<T, D> ConvTranspose2d<T, D>::operator()(const Var<T, D>& x) const {
  return conv_transpose2d(x, weight.var, spec, bias.var);
}

#define STIPPLE_INSTANCES(T, D) \
  template struct Conv2d<T, D>; \
  template struct ConvTranspose2d<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
