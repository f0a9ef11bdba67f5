// A convolution, batch norm and an activation: what classifiers of images are made of.
#pragma once

#include <array>
#include <optional>

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/pad.hpp>
#include <stipple/autograd/resize.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv.hpp>

namespace stipple {

struct ConvNormConfig {
  Size2d kernel = {3, 3};
  Index stride = 1;
  bool padded = true;  ///< keeps the image's size at stride 1; otherwise nothing is padded
  Index groups = 1;
  Activation activation = Activation::relu;
  double eps = 1e-5;                                    ///< of the norm
  std::array<const char*, 2> names = {"conv", "norm"};  ///< of the two layers in files
};

/// (N, H, W, in) -> (N, H', W', out): a convolution without bias, batch norm, activation.
template <Real T, Device D = Cpu>
struct ConvNorm {
  ConvNormConfig config;
  Conv2dSpec spec;
  PadSpec edges;  ///< of what is padded before the convolution, which can pad both axes alike only
  Parameter<T, D> weight;
  Parameter<accumulate_t<T>, D> bias;     ///< of the convolution; undefined unless the norm is folded
  std::optional<BatchNorm2d<T, D>> norm;  ///< with the activation; none if it is folded

  /// Throws unless kernel and stride are at least 1, the groups divide the channels, and a padded kernel is odd.
  ConvNorm(Index in, Index out, const ConvNormConfig& c, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  /// Makes the norm, with its running statistics, a part of the convolution: the same function in evaluation, with one
  /// pass over the images less. For a network that is no Model and will not be trained.
  void fold();
  static void each(auto& self, auto&& f) {
    f(detail::join(self.config.names[0], "weight"), self.weight);
    f(detail::join(self.config.names[0], "bias"), self.bias);
    f(self.config.names[1], self.norm);
  }
};

/// Calls `fold` of every ConvNorm of a network.
template <class Layer>
void fold_norms(Layer& layer) {
  if constexpr (requires { layer.fold(); }) {
    layer.fold();
  } else if constexpr (detail::is_leaf<Layer>) {
    return;
  } else if constexpr (requires { Layer::each(layer, [](const std::string&, auto&) {}); }) {
    Layer::each(layer, [](const std::string&, auto& child) { fold_norms(child); });
  } else if constexpr (requires { layer.has_value(); }) {
    if (layer.has_value()) fold_norms(*layer);
  } else {
    for (auto& child : layer) fold_norms(child);
  }
}

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

#include <cmath>

namespace stipple {

template <Real T, Device D>
ConvNorm<T, D>::ConvNorm(Index in, Index out, const ConvNormConfig& c, Rng& rng)
    : config(c),
      spec{c.stride, 0, 1, c.groups},
      norm(std::in_place, out, BatchNormSpec{.eps = c.eps, .activation = c.activation}) {
  auto const [height, width] = c.kernel;
  detail::check_conv_layer("ConvNorm", in, out, std::min(height, width), spec);
  require(!c.padded || (height % 2 == 1 && width % 2 == 1), "ConvNorm: given a padded kernel of ", height, " x ", width,
          ", wanted odd extents");
  if (c.padded && height == width) spec.padding = height / 2;
  if (c.padded && height != width) edges = {height / 2, height / 2, width / 2, width / 2};
  Index const inputs = in / c.groups;
  weight =
      Parameter<T, D>(default_init<T, D>({height, width, inputs, out}, inputs * height * width, rng), Layout::conv);
}

template <Real T, Device D>
Var<T, D> ConvNorm<T, D>::operator()(const Var<T, D>& x) const {
  bool const pads = edges.top > 0 || edges.left > 0;
  auto const y = conv2d(pads ? pad(x, edges) : x, weight.var, spec, {bias.var, {}, {}});
  return norm ? (*norm)(y) : activate(y, config.activation);
}

template <Real T, Device D>
void ConvNorm<T, D>::fold() {
  if (!norm) return;
  using Full = accumulate_t<T>;
  auto const mean = to<Cpu>(norm->running_mean.value), variance = to<Cpu>(norm->running_var.value);
  auto const scale = to<Cpu>(norm->weight.var.value()), shift = to<Cpu>(norm->bias.var.value());
  Index const out = mean.size();
  Tensor<Full> factors({out}), offsets({out});
  for (Index o = 0; o < out; ++o) {
    Full const factor = scale.data()[o] / std::sqrt(variance.data()[o] + static_cast<Full>(norm->spec.eps));
    factors.data()[o] = factor;
    offsets.data()[o] = shift.data()[o] - mean.data()[o] * factor;
  }
  auto folded = to<Cpu>(ops::cast<Full>(weight.var.value())).clone();
  for (Index i = 0; i < folded.size(); ++i) folded.data()[i] *= factors.data()[i % out];
  weight = Parameter<T, D>(to<D>(ops::cast<T>(folded)), Layout::conv);
  bias = Parameter<Full, D>(to<D>(offsets));
  norm.reset();
}

#define STIPPLE_INSTANCES(T, D) template struct ConvNorm<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
