// MobileNetV2 (Sandler et al. 2018), a small classifier of images. Member names in `each` are those of torchvision.
#pragma once

#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv_norm.hpp>
#include <stipple/nn/linear.hpp>

namespace stipple {

/// Widens the channels by a factor, filters each by itself, and narrows them without an activation:
/// (N, H, W, in) -> (N, H', W', out), plus x where the shapes are the same.
template <Real T, Device D = Cpu>
struct InvertedResidual {
  std::optional<ConvNorm<T, D>> expand;  ///< 1x1; none for the factor 1
  ConvNorm<T, D> depthwise, project;
  bool residual;

  InvertedResidual(Index in, Index out, Index stride, Index factor, Rng& rng);
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("conv.0", self.expand);
    f(self.expand ? "conv.1" : "conv.0", self.depthwise);
    f("conv", self.project);
  }
};

struct MobilenetV2Config {
  Index classes = 1000;
};

/// Images (N, H, W, 3), with the mean and deviation of the training images taken out -> logits (N, classes). Width 1.0,
/// 3,504,872 parameters with 1000 classes, 0.3 G multiplications and additions for 224 x 224 pixels.
template <Real T, Device D = Cpu>
struct MobilenetV2 {
  static constexpr Index feature_size = 1280;

  std::vector<ConvNorm<T, D>> ends;  ///< the first and the last convolution
  std::vector<InvertedResidual<T, D>> blocks;
  Linear<T, D> classifier;

  MobilenetV2(const MobilenetV2Config& config, Rng& rng);
  /// What the classifier sees, the mean over all pixels: (N, 1280).
  Var<T, D> features(const Var<T, D>& x) const;
  Var<T, D> operator()(const Var<T, D>& x) const;
  static void each(auto& self, auto&& f) {
    f("features.0", self.ends.front());
    for (std::size_t i = 0; i < self.blocks.size(); ++i) f("features." + std::to_string(i + 1), self.blocks[i]);
    f("features." + std::to_string(self.blocks.size() + 1), self.ends.back());
    f("classifier.1", self.classifier);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/dropout.hpp>
#include <stipple/autograd/pool.hpp>

namespace stipple {

template <Real T, Device D>
InvertedResidual<T, D>::InvertedResidual(Index in, Index out, Index stride, Index factor, Rng& rng)
    : depthwise(in * factor, in * factor,
                {.stride = stride, .groups = in * factor, .activation = Activation::relu6, .names = {"0", "1"}}, rng),
      project(in * factor, out,
              {.kernel = {1, 1},
               .activation = Activation::none,
               .names = factor == 1 ? std::array{"1", "2"} : std::array{"2", "3"}},
              rng),
      residual(stride == 1 && in == out) {
  if (factor != 1)
    expand.emplace(in, in * factor,
                   ConvNormConfig{.kernel = {1, 1}, .activation = Activation::relu6, .names = {"0", "1"}}, rng);
}

template <Real T, Device D>
Var<T, D> InvertedResidual<T, D>::operator()(const Var<T, D>& x) const {
  auto const y = project(depthwise(expand ? (*expand)(x) : x));
  return residual ? x + y : y;
}

template <Real T, Device D>
MobilenetV2<T, D>::MobilenetV2(const MobilenetV2Config& config, Rng& rng) {
  require(config.classes >= 1, "MobilenetV2: given ", config.classes, " classes, wanted at least 1");
  struct Level {
    Index factor, out, repeats, stride;
  };
  constexpr Level levels[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                              {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};  // table 2 of the paper
  Index now = 32;
  ends.emplace_back(3, now, ConvNormConfig{.stride = 2, .activation = Activation::relu6, .names = {"0", "1"}}, rng);
  for (auto const& [factor, out, repeats, stride] : levels)
    for (Index i = 0; i < repeats; ++i) {
      blocks.emplace_back(now, out, i == 0 ? stride : 1, factor, rng);
      now = out;
    }
  ends.emplace_back(now, feature_size,
                    ConvNormConfig{.kernel = {1, 1}, .activation = Activation::relu6, .names = {"0", "1"}}, rng);
  classifier = Linear<T, D>(feature_size, config.classes, rng);
}

template <Real T, Device D>
Var<T, D> MobilenetV2<T, D>::features(const Var<T, D>& x) const {
  require(x.shape().rank() == 4 && x.dim(3) == 3, "MobilenetV2: given x ", x.shape(), ", wanted images (N, H, W, 3)");
  auto h = ends.front()(x);
  for (auto const& block : blocks) h = block(h);
  return global_avg_pool(ends.back()(h));
}

template <Real T, Device D>
Var<T, D> MobilenetV2<T, D>::operator()(const Var<T, D>& x) const {
  return classifier(dropout(features(x), 0.2));
}

#define STIPPLE_INSTANCES(T, D)           \
  template struct InvertedResidual<T, D>; \
  template struct MobilenetV2<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
