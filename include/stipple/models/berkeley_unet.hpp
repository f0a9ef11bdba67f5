// The U-Net of Berkeley's CS180, project 5B: a single-step denoiser, and the same network conditioned on time and
// class. Member names in `each` are those of the course's PyTorch modules.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/concat.hpp>
#include <stipple/autograd/pool.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/norm.hpp>
#include <stipple/nn/timestep_mlp.hpp>
#include <stipple/ops/embedding.hpp>

namespace stipple {

/// A convolution, batch norm and GELU. With a Conv2d it is the course's Conv (3x3) and DownConv (3x3,
/// stride 2), with a ConvTranspose2d its UpConv (4x4, stride 2) and Unflatten (7x7, stride 7).
template <class Convolution, Real T, Device D = Cpu>
struct BerkeleyConv {
  Convolution conv;
  BatchNorm2d<T, D> norm;

  template <class Config>
  BerkeleyConv(Index in, Index out, Config config, Rng& rng)
      : conv(in, out, config, rng), norm(out, {.activation = Activation::gelu}) {}
  Var<T, D> operator()(const Var<T, D>& x) const { return norm(conv(x)); }
  static void each(auto& self, auto&& f) {
    f("conv", self.conv);
    f("bn", self.norm);
  }
};

/// The course's ConvBlock: two 3x3 Convs, (N, H, W, in) -> (N, H, W, out).
template <Real T, Device D = Cpu>
struct BerkeleyConvBlock {
  BerkeleyConv<Conv2d<T, D>, T, D> conv1, conv2;

  BerkeleyConvBlock(Index in, Index out, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("conv1", self.conv1);
    f("conv2", self.conv2);
  }
};

/// The course's DownBlock and UpBlock: a strided operation, then a ConvBlock.
template <class Convolution, Real T, Device D = Cpu>
struct BerkeleyScaleBlock {
  BerkeleyConv<Convolution, T, D> scale;
  BerkeleyConvBlock<T, D> block;

  template <class Config>
  BerkeleyScaleBlock(Index in, Index out, Config config, Rng& rng)
      : scale(in, out, config, rng), block(out, out, rng) {}
  Var<T, D> operator()(const Var<T, D>& x) const { return block(scale(x)); }
  static void each(auto& self, auto&& f) {
    f("scale", self.scale);
    f("block", self.block);
  }
};

/// The course's FCBlock: Linear, GELU, Linear, (N, in) -> (N, out).
template <Real T, Device D = Cpu>
struct FcBlock {
  Linear<T, D> first, second;

  FcBlock(Index in, Index out, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("net.0", self.first);
    f("net.2", self.second);
  }
};

struct BerkeleyUnetConfig {
  Index width = 128;  ///< the course's D
  Index channels = 1;
  bool time = false;  ///< conditioned on time; the network is then called as (x, t)
  Index classes = 0;  ///< more than 0 conditions on a class besides: (x, t, labels)
};

/// Images (N, H, W, channels) -> the same shape; H and W are multiples of 28. Parameters of the course's configuration:
/// 7,891,073; with time 7,974,145; with time and ten classes 8,060,673.
///
/// t (N) is the course's step number divided by the number of steps, in [0, 1]. Labels (N) are 0 to classes - 1, or
/// `no_class`, which is the course's mask of 0: the class's one-hot vector becomes zeros.
template <Real T, Device D = Cpu>
struct BerkeleyUnet {
  using Full = accumulate_t<T>;
  static constexpr std::int32_t no_class = -1;
  static constexpr Index flattened = 7;  ///< Flatten averages squares of this many pixels, Unflatten makes them again

  /// The perceptrons of one condition, for the result of Unflatten and of the first UpBlock. They compute in the
  /// accumulation type: bf16 cannot tell neighbouring steps in [0, 1] apart.
  struct Condition {
    FcBlock<Full, D> unflatten, up1;
  };

  BerkeleyUnetConfig config;
  BerkeleyConvBlock<T, D> conv_in;
  BerkeleyScaleBlock<Conv2d<T, D>, T, D> down1, down2;
  BerkeleyConv<ConvTranspose2d<T, D>, T, D> unflatten;
  BerkeleyScaleBlock<ConvTranspose2d<T, D>, T, D> up1, up2;
  BerkeleyConvBlock<T, D> conv_out;
  Conv2d<T, D> out;
  std::optional<Condition> time, label;

  BerkeleyUnet(const BerkeleyUnetConfig& given, Rng& rng);

  /// The unconditional network: the clean image of a noisy one.
  Var<T, D> operator()(const Var<T, D>& x) const;
  /// Conditioned on time.
  Var<T, D> operator()(const Var<T, D>& x, const Tensor<Full, D>& t) const;
  /// Conditioned on time and class.
  Var<T, D> operator()(const Var<T, D>& x, const Tensor<Full, D>& t, const Tensor<std::int32_t, D>& labels) const;

  static void each(auto& self, auto&& f) {
    f("conv_in", self.conv_in);
    f("down1", self.down1);
    f("down2", self.down2);
    f("unflatten", self.unflatten);
    f("up1", self.up1);
    f("up2", self.up2);
    f("conv_out", self.conv_out);
    f("out", self.out);
    if (self.time) {
      f("fc1_t", self.time->unflatten);
      f("fc2_t", self.time->up1);
    }
    if (self.label) {
      f("fc1_c", self.label->unflatten);
      f("fc2_c", self.label->up1);
    }
  }

 private:
  static const BerkeleyUnetConfig& checked(const BerkeleyUnetConfig& c);

  // (N, 1), or (1, 1) when one row serves all samples.
  Var<Full, D> time_column(const Var<T, D>& x, const Tensor<Full, D>& t) const;
  // (N, classes)
  Var<Full, D> one_hot_or_zeros(const Var<T, D>& x, const Tensor<std::int32_t, D>& labels) const;

  Var<T, D> run(const Var<T, D>& x, const Var<Full, D>& t, const Var<Full, D>& hot) const;
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
BerkeleyConvBlock<T, D>::BerkeleyConvBlock(Index in, Index out, Rng& rng)
    : conv1(in, out, Conv2dConfig{}, rng), conv2(out, out, Conv2dConfig{}, rng) {}

template <Real T, Device D>
Var<T, D> BerkeleyConvBlock<T, D>::operator()(const Var<T, D>& x) const {
  return conv2(conv1(x));
}

template <Real T, Device D>
FcBlock<T, D>::FcBlock(Index in, Index out, Rng& rng) : first(in, out, rng), second(out, out, rng) {}

template <Real T, Device D>
Var<T, D> FcBlock<T, D>::operator()(const Var<T, D>& x) const {
  return second(gelu(first(x)));
}

template <Real T, Device D>
BerkeleyUnet<T, D>::BerkeleyUnet(const BerkeleyUnetConfig& given, Rng& rng)
    : config(checked(given)),
      conv_in(config.channels, config.width, rng),
      down1(config.width, config.width, Conv2dConfig{.stride = 2}, rng),
      down2(config.width, 2 * config.width, Conv2dConfig{.stride = 2}, rng),
      unflatten(2 * config.width, 2 * config.width,
                ConvTranspose2dConfig{.kernel = flattened, .stride = flattened, .padding = 0}, rng),
      up1(4 * config.width, config.width, ConvTranspose2dConfig{}, rng),
      up2(2 * config.width, config.width, ConvTranspose2dConfig{}, rng),
      conv_out(2 * config.width, config.width, rng),
      out(config.width, config.channels, {}, rng) {
  auto const condition = [&](Index in) { return Condition{{in, 2 * config.width, rng}, {in, config.width, rng}}; };
  if (config.time) time = condition(1);
  if (config.classes > 0) label = condition(config.classes);
}

template <Real T, Device D>
Var<T, D> BerkeleyUnet<T, D>::operator()(const Var<T, D>& x) const {
  require(!config.time, "BerkeleyUnet: given no t, wanted t for a network with time");
  return run(x, {}, {});
}

template <Real T, Device D>
Var<T, D> BerkeleyUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<Full, D>& t) const {
  require(config.time && config.classes == 0, "BerkeleyUnet: given x and t, wanted ",
          config.time ? "labels too for a network with classes" : "x alone for a network without time");
  return run(x, time_column(x, t), {});
}

template <Real T, Device D>
Var<T, D> BerkeleyUnet<T, D>::operator()(const Var<T, D>& x, const Tensor<Full, D>& t,
                                         const Tensor<std::int32_t, D>& labels) const {
  require(config.classes > 0, "BerkeleyUnet: given labels, wanted none for a network without classes");
  return run(x, time_column(x, t), one_hot_or_zeros(x, labels));
}

template <Real T, Device D>
const BerkeleyUnetConfig& BerkeleyUnet<T, D>::checked(const BerkeleyUnetConfig& c) {
  require(c.width >= 1 && c.channels >= 1 && c.classes >= 0 && (c.time || c.classes == 0), "BerkeleyUnet: given width ",
          c.width, ", ", c.channels, " channels and ", c.classes, " classes ", c.time ? "with" : "without",
          " time, wanted a width, a channel, and time where there are classes");
  return c;
}

template <Real T, Device D>
Var<typename BerkeleyUnet<T, D>::Full, D> BerkeleyUnet<T, D>::time_column(const Var<T, D>& x,
                                                                          const Tensor<Full, D>& t) const {
  require(t.rank() == 1 && x.shape().rank() == 4 && t.dim(0) == x.dim(0), "BerkeleyUnet: given t ", t.shape(),
          " for x ", x.shape(), ", wanted one number a sample");
  auto const distinct = distinct_timesteps(t);
  return Var<Full, D>(distinct.reshape({distinct.dim(0), 1}));
}

template <Real T, Device D>
Var<typename BerkeleyUnet<T, D>::Full, D> BerkeleyUnet<T, D>::one_hot_or_zeros(
    const Var<T, D>& x, const Tensor<std::int32_t, D>& labels) const {
  require(labels.rank() == 1 && labels.dim(0) == x.dim(0), "BerkeleyUnet: given labels ", labels.shape(), " for x ",
          x.shape(), ", wanted one a sample");
  return Var<Full, D>(ops::one_hot<Full>(labels, config.classes, no_class));
}

template <Real T, Device D>
Var<T, D> BerkeleyUnet<T, D>::run(const Var<T, D>& x, const Var<Full, D>& t, const Var<Full, D>& hot) const {
  Index const multiple = 4 * flattened;
  require(x.shape().rank() == 4 && x.dim(3) == config.channels && x.dim(1) > 0 && x.dim(2) > 0 &&
              x.dim(1) % multiple == 0 && x.dim(2) % multiple == 0,
          "BerkeleyUnet: given x ", x.shape(), ", wanted (N, H, W, ", config.channels, ") with H and W multiples of ",
          multiple);
  auto const modulated = [&](Var<T, D> h, FcBlock<Full, D> Condition::*place) {  // c h + t
    if (label) h = h * ((*label).*place)(hot);
    return time ? h + ((*time).*place)(t) : h;
  };
  auto const a = conv_in(x);                                                        // (N, H, W, D)
  auto const b = down1(a);                                                          // (N, H/2, W/2, D)
  auto const c = down2(b);                                                          // (N, H/4, W/4, 2D)
  auto const flat = gelu(avg_pool(c, {.kernel = flattened, .stride = flattened}));  // (N, H/28, W/28, 2D)
  auto const wide = modulated(unflatten(flat), &Condition::unflatten);              // (N, H/4, W/4, 2D)
  auto const half = modulated(up1(concat(wide, c)), &Condition::up1);               // (N, H/2, W/2, D)
  return out(conv_out(concat(up2(concat(half, b)), a)));
}

#define STIPPLE_INSTANCES(T, D)            \
  template struct BerkeleyConvBlock<T, D>; \
  template struct FcBlock<T, D>;           \
  template struct BerkeleyUnet<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
