// Conv2d and ConvTranspose2d.
#pragma once

#include <stipple/autograd/conv2d.hpp>
#include <stipple/autograd/conv_transpose2d.hpp>
#include <stipple/nn/init.hpp>

namespace stipple {

struct Conv2dConfig {
  static constexpr Index same = -1;  ///< keeps the image's size at stride 1

  Index kernel = 3, stride = 1, padding = same, dilation = 1, groups = 1;
  bool bias = true;
};

/// (N, H, W, in) -> (N, H', W', out). Weights and bias start as PyTorch's. Throws if the groups don't divide the
/// channels.
template <Real T, Device D = Cpu>
struct Conv2d {
  Parameter<T, D> weight;
  Parameter<accumulate_t<T>, D> bias;
  Conv2dSpec spec;

  Conv2d() = default;
  Conv2d(Index in, Index out, Conv2dConfig c, Rng& rng) {
    require(c.kernel >= 1 && c.groups >= 1 && in % c.groups == 0 && out % c.groups == 0, "Conv2d: given ", in, " -> ",
            out, " channels, kernel ", c.kernel, " and ", c.groups, " groups, wanted groups that divide both");
    require(c.padding != Conv2dConfig::same || c.kernel % 2 == 1, "Conv2d: given the even kernel ", c.kernel,
            " without padding, wanted an explicit padding");
    spec = {c.stride, c.padding == Conv2dConfig::same ? c.dilation * (c.kernel - 1) / 2 : c.padding, c.dilation,
            c.groups};
    Index const fan_in = in / c.groups * c.kernel * c.kernel;
    weight = Parameter<T, D>(default_init<T, D>({c.kernel, c.kernel, in / c.groups, out}, fan_in, rng), Layout::conv);
    if (c.bias) bias = Parameter<accumulate_t<T>, D>(default_init<accumulate_t<T>, D>({out}, fan_in, rng));
  }
  Var<T, D> operator()(const Var<T, D>& x) const { return conv2d(x, weight.var, spec, {bias.var, {}, {}}); }
  /// conv(x) + addend (N, out) at every pixel + residual; either may be undefined.
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& addend, const Var<T, D>& residual = {}) const {
    return conv2d(x, weight.var, spec, {bias.var, addend, residual});
  }
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
  ConvTranspose2d(Index in, Index out, ConvTranspose2dConfig c, Rng& rng) {
    require(c.kernel >= 1 && c.groups >= 1 && in % c.groups == 0 && out % c.groups == 0, "ConvTranspose2d: given ", in,
            " -> ", out, " channels, kernel ", c.kernel, " and ", c.groups, " groups, wanted groups that divide both");
    spec = {c.stride, c.padding, c.output_padding, 1, c.groups};
    Index const fan_in = out / c.groups * c.kernel * c.kernel;  // PyTorch counts the file layout's second extent
    weight = Parameter<T, D>(default_init<T, D>({c.kernel, c.kernel, out / c.groups, in}, fan_in, rng),
                             Layout::conv_transpose);
    if (c.bias) bias = Parameter<accumulate_t<T>, D>(default_init<accumulate_t<T>, D>({out}, fan_in, rng));
  }
  Var<T, D> operator()(const Var<T, D>& x) const { return conv_transpose2d(x, weight.var, spec, bias.var); }
  static void each(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace stipple
