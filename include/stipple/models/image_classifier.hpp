// A small convolutional classifier of images of digits and clothes. Its pooled features serve as an offline FID's.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include <stipple/autograd/pool.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/conv_norm.hpp>
#include <stipple/nn/linear.hpp>

namespace stipple {

struct ImageClassifierConfig {
  Index channels = 1;
  Index width = 32;  ///< channels of the first level; the others have twice as many
  Index classes = 10;
};

/// Images (N, H, W, channels) in [-1, 1] -> logits (N, classes). Three levels of two convolutions, at a half, a quarter
/// and an eighth of the image's size; then the mean over all pixels and a linear layer. The default configuration has
/// 139,818 parameters, and takes 5.8 million multiply-adds for an image of 28 x 28 pixels.
template <Real T, Device D = Cpu>
struct ImageClassifier {
  ImageClassifierConfig config;
  std::vector<ConvNorm<T, D>> blocks;
  Linear<T, D> head;

  ImageClassifier(const ImageClassifierConfig& given, Rng& rng);
  /// What the last layer sees: (N, 2 width), not negative. Throws Error for images of another number of channels, or
  /// below 2 x 2.
  Var<T, D> features(const Var<T, D>& x) const;
  Var<T, D> operator()(const Var<T, D>& x) const { return head(features(x)); }
  /// The class of each image that has the largest logit, (N), the first of equal ones; no gradients are recorded.
  Tensor<std::int32_t> classify(const Tensor<float>& images) const;
  static void each(auto& self, auto&& f) {
    f("blocks", self.blocks);
    f("head", self.head);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(models)

namespace stipple {

template <Real T, Device D>
ImageClassifier<T, D>::ImageClassifier(const ImageClassifierConfig& given, Rng& rng) : config(given) {
  require(config.channels >= 1 && config.width >= 1 && config.classes >= 2, "ImageClassifier: given ", config.channels,
          " channels, width ", config.width, " and ", config.classes,
          " classes, wanted a channel, a width and two classes at least");
  Index const w = config.width;
  Index in = config.channels;
  for (Index const out : {w, 2 * w, 2 * w}) {
    blocks.emplace_back(in, out, ConvNormConfig{.stride = 2}, rng);
    blocks.emplace_back(out, out, ConvNormConfig{}, rng);
    in = out;
  }
  head = Linear<T, D>(in, config.classes, rng);
}

template <Real T, Device D>
Var<T, D> ImageClassifier<T, D>::features(const Var<T, D>& x) const {
  require(x.shape().rank() == 4 && x.dim(3) == config.channels && x.dim(1) >= 2 && x.dim(2) >= 2,
          "ImageClassifier: given images ", x.shape(), ", wanted (N, H, W, ", config.channels, ") of 2 x 2 or more");
  Var<T, D> h = x;
  for (auto const& block : blocks) h = block(h);
  return global_avg_pool(h);
}

template <Real T, Device D>
Tensor<std::int32_t> ImageClassifier<T, D>::classify(const Tensor<float>& images) const {
  NoGrad const no_grad;
  auto const logits = to<Cpu>(ops::cast<accumulate_t<T>>((*this)(Var<T, D>(ops::cast<T>(to<D>(images)))).value()));
  Tensor<std::int32_t> classes({logits.dim(0)});
  for (Index i = 0; i < classes.size(); ++i) {
    auto const* const row = std::as_const(logits).data() + i * config.classes;
    classes.data()[i] = static_cast<std::int32_t>(std::max_element(row, row + config.classes) - row);
  }
  return classes;
}

#define STIPPLE_INSTANCES(T, D) template struct ImageClassifier<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
