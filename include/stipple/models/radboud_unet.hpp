// The attention U-Net of Radboud University's deep learning course, assignment 12. Member names in `each` are those of
// the course's PyTorch modules.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/autograd/concat.hpp>
#include <stipple/autograd/pool.hpp>
#include <stipple/autograd/resize.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/embedding.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/norm.hpp>
#include <stipple/nn/timestep_mlp.hpp>

namespace stipple {

/// 3x3, norm over the whole image, GELU, 3x3, norm: (N, H, W, in) -> (N, H, W, out). The residual form is
/// gelu(x + ...) of that.
template <Real T, Device D = Cpu>
struct RadboudDoubleConv {
  bool residual;
  Conv2d<T, D> conv1;
  GroupNorm<T, D> norm1;
  Conv2d<T, D> conv2;
  GroupNorm<T, D> norm2;

  RadboudDoubleConv(Index in, Index middle, Index out, Rng& rng);
  /// The residual form.
  RadboudDoubleConv(Index channels, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("double_conv.0", self.conv1);
    f("double_conv.1", self.norm1);
    f("double_conv.3", self.conv2);
    f("double_conv.4", self.norm2);
  }
};

/// Halves the image: 2x2 maximum, a residual and a plain double convolution.
template <Real T, Device D = Cpu>
struct RadboudDown {
  RadboudDoubleConv<T, D> conv1, conv2;

  RadboudDown(Index in, Index out, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("maxpool_conv.1", self.conv1);
    f("maxpool_conv.2", self.conv2);
  }
};

/// Doubles the image, bilinearly with its corners kept, and joins it to `skip`: (N, H, W, C1), (N, 2H, 2W, C2) with
/// C1 + C2 = in -> (N, 2H, 2W, out).
template <Real T, Device D = Cpu>
struct RadboudUp {
  RadboudDoubleConv<T, D> conv1, conv2;

  RadboudUp(Index in, Index out, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x, const Var<T, D>& skip) const;
  static void each(auto& self, auto&& f) {
    f("conv", self.conv1);
    f("conv2", self.conv2);
  }
};

/// A transformer block over the pixels of each image: h = x + attention(norm(x)) with 4 heads, then
/// h + Linear(gelu(Linear(norm(h)))). (N, H, W, C) to the same shape.
template <Real T, Device D = Cpu>
struct RadboudSelfAttention {
  static constexpr Index heads = 4;

  LayerNorm<T, D> norm;
  Linear<T, D> qkv, out;
  LayerNorm<T, D> forward_norm;
  Linear<T, D> forward1, forward2;

  /// Starts as PyTorch's MultiheadAttention: q, k and v Xavier uniform as one matrix, both biases 0.
  RadboudSelfAttention(Index channels, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("sa.0.ln", self.norm);
    f("sa.0.mha.in_proj_weight", self.qkv.weight);
    f("sa.0.mha.in_proj_bias", self.qkv.bias);
    f("sa.0.mha.out_proj", self.out);
    f("sa.0.ff_self.0", self.forward_norm);
    f("sa.0.ff_self.1", self.forward1);
    f("sa.0.ff_self.3", self.forward2);
  }
};

struct RadboudUnetConfig {
  Index width = 16;
  Index channels = 1;
  Index classes = 0;  ///< more than 0 conditions on a class; the network is then called as (x, t, labels)
};

/// Images (N, H, W, channels) and t (N), the step from 0 -> prediction of the same shape; H and W are multiples of 8,
/// in the course 32. 810,561 parameters at width 16; 811,201 with ten classes, labels (N) being 0 to classes - 1.
///
/// The step is embedded without parameters, as wide as each place that it is added to; a class adds the first entries
/// of its row, of 4 width, at the same places.
template <Real T, Device D = Cpu>
struct RadboudUnet {
  using Full = accumulate_t<T>;

  RadboudUnetConfig config;
  RadboudDoubleConv<T, D> inc;
  RadboudDown<T, D> down1, down2, down3;
  RadboudUp<T, D> up1, up2, up3;
  Conv2d<T, D> outc;
  RadboudSelfAttention<T, D> attention1, attention2, attention3;
  std::optional<Embedding<T, D>> label_embedding;

  RadboudUnet(const RadboudUnetConfig& given, Rng& rng);

  Var<T, D> operator()(const Var<T, D>& x, const Tensor<Full, D>& t) const;
  Var<T, D> operator()(const Var<T, D>& x, const Tensor<Full, D>& t, const Tensor<std::int32_t, D>& labels) const;

  static void each(auto& self, auto&& f) {
    f("inc", self.inc);
    f("down1", self.down1);
    f("down2", self.down2);
    f("down3", self.down3);
    f("up1", self.up1);
    f("up2", self.up2);
    f("up3", self.up3);
    f("outc.conv", self.outc);
    f("sa1", self.attention1);
    f("sa2", self.attention2);
    f("sa3", self.attention3);
    f("label_embedding", self.label_embedding);
  }

 private:
  static const RadboudUnetConfig& checked(const RadboudUnetConfig& c);

  // `label` is (N, 4 width), or undefined.
  Var<T, D> run(const Var<T, D>& x, const Tensor<Full, D>& t, const Var<T, D>& label) const;
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
RadboudDoubleConv<T, D>::RadboudDoubleConv(Index in, Index middle, Index out, Rng& rng)
    : residual(false),
      conv1(in, middle, {.bias = false}, rng),
      norm1(1, middle, {.activation = Activation::gelu}),
      conv2(middle, out, {.bias = false}, rng),
      norm2(1, out) {}

template <Real T, Device D>
RadboudDoubleConv<T, D>::RadboudDoubleConv(Index channels, Rng& rng)
    : RadboudDoubleConv(channels, channels, channels, rng) {
  residual = true;
}

template <Real T, Device D>
Var<T, D> RadboudDoubleConv<T, D>::operator()(const Var<T, D>& x) const {
  auto const h = norm2(conv2.after(norm1, conv1(x)));
  return residual ? gelu(x + h) : h;
}

template <Real T, Device D>
RadboudDown<T, D>::RadboudDown(Index in, Index out, Rng& rng) : conv1(in, rng), conv2(in, out, out, rng) {}

template <Real T, Device D>
Var<T, D> RadboudDown<T, D>::operator()(const Var<T, D>& x) const {
  return conv2(conv1(max_pool(x)));
}

template <Real T, Device D>
RadboudUp<T, D>::RadboudUp(Index in, Index out, Rng& rng) : conv1(in, rng), conv2(in, in / 2, out, rng) {}

template <Real T, Device D>
Var<T, D> RadboudUp<T, D>::operator()(const Var<T, D>& x, const Var<T, D>& skip) const {
  auto const wide = resize(x, {2 * x.dim(1), 2 * x.dim(2)}, {.mode = ResizeMode::bilinear, .align_corners = true});
  return conv2(conv1(concat(skip, wide)));
}

template <Real T, Device D>
RadboudSelfAttention<T, D>::RadboudSelfAttention(Index channels, Rng& rng)
    : norm(channels),
      qkv(channels, 3 * channels, rng),
      out(channels, channels, rng),
      forward_norm(channels),
      forward1(channels, channels, rng),
      forward2(channels, channels, rng) {
  qkv.weight.var.value().copy_from(xavier_uniform<T, D>({channels, 3 * channels}, channels, 3 * channels, 1, rng));
  qkv.bias.var.value().fill(0);
  out.bias.var.value().fill(0);
}

template <Real T, Device D>
Var<T, D> RadboudSelfAttention<T, D>::operator()(const Var<T, D>& x) const {
  auto const mixed = attention_qkv(qkv(norm(x)), heads);
  auto const h = linear(mixed, out.weight.var, out.bias.var, x);
  return linear(gelu(forward1(forward_norm(h))), forward2.weight.var, forward2.bias.var, h);
}

template <Real T, Device D>
RadboudUnet<T, D>::RadboudUnet(const RadboudUnetConfig& given, Rng& rng)
    : config(checked(given)),
      inc(config.channels, config.width, config.width, rng),
      down1(config.width, 2 * config.width, rng),
      down2(2 * config.width, 4 * config.width, rng),
      down3(4 * config.width, 4 * config.width, rng),
      up1(8 * config.width, 2 * config.width, rng),
      up2(4 * config.width, config.width, rng),
      up3(2 * config.width, config.width, rng),
      outc(config.width, config.channels, {.kernel = 1}, rng),
      attention1(4 * config.width, rng),
      attention2(4 * config.width, rng),
      attention3(2 * config.width, rng) {
  if (config.classes > 0) label_embedding.emplace(config.classes, 4 * config.width, rng);
}

template <Real T, Device D>
Var<T, D> RadboudUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<Full, D>& t) const {
  require(!label_embedding, "RadboudUnet: given x and t, wanted labels too for a network with classes");
  return run(x, t, {});
}

template <Real T, Device D>
Var<T, D> RadboudUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<Full, D>& t,
                                        const Tensor<std::int32_t, D>& labels) const {
  require(label_embedding.has_value(), "RadboudUnet: given labels, wanted none for a network without classes");
  require(labels.rank() == 1 && labels.dim(0) == x.dim(0), "RadboudUnet: given labels ", labels.shape(), " for x ",
          x.shape(), ", wanted one a sample");
  return run(x, t, (*label_embedding)(labels));
}

template <Real T, Device D>
const RadboudUnetConfig& RadboudUnet<T, D>::checked(const RadboudUnetConfig& c) {
  require(c.width >= 2 && c.width % 2 == 0 && c.channels >= 1 && c.classes >= 0, "RadboudUnet: given width ", c.width,
          ", ", c.channels, " channels and ", c.classes, " classes, wanted an even width and a channel");
  return c;
}

template <Real T, Device D>
Var<T, D> RadboudUnet<T, D>::run(const Var<T, D>& x, const Tensor<Full, D>& t, const Var<T, D>& label) const {
  require(x.shape().rank() == 4 && x.dim(3) == config.channels && x.dim(1) > 0 && x.dim(2) > 0 && x.dim(1) % 8 == 0 &&
              x.dim(2) % 8 == 0,
          "RadboudUnet: given x ", x.shape(), ", wanted (N, H, W, ", config.channels, ") with H and W multiples of 8");
  require(t.rank() == 1 && t.dim(0) == x.dim(0), "RadboudUnet: given t ", t.shape(), " for x ", x.shape(),
          ", wanted one number a sample");
  auto const steps = distinct_timesteps(t);
  // h plus step and class at every pixel; sin before cos, frequencies 10000^(-2 i / c).
  auto const conditioned = [&](const Var<T, D>& h) {
    Index const c = h.dim(3);
    Var<T, D> const step(ops::timestep_embedding<T>(steps, c, {.downscale_freq_shift = 0}));
    return h + (label.defined() ? slice_last(label, 0, c) + step : step);
  };
  auto const x1 = inc(x);                                // (N, H, W, w)
  auto const x2 = conditioned(down1(x1));                // (N, H/2, W/2, 2w)
  auto const x3 = attention1(conditioned(down2(x2)));    // (N, H/4, W/4, 4w)
  auto const x4 = attention2(conditioned(down3(x3)));    // (N, H/8, W/8, 4w)
  auto const y3 = attention3(conditioned(up1(x4, x3)));  // (N, H/4, W/4, 2w)
  auto const y2 = conditioned(up2(y3, x2));              // (N, H/2, W/2, w)
  return outc(conditioned(up3(y2, x1)));
}

#define STIPPLE_INSTANCES(T, D)               \
  template struct RadboudDoubleConv<T, D>;    \
  template struct RadboudDown<T, D>;          \
  template struct RadboudUp<T, D>;            \
  template struct RadboudSelfAttention<T, D>; \
  template struct RadboudUnet<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
