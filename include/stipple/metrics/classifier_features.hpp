// An ImageClassifier as a feature network: figures of digits and clothes that need no network from elsewhere.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/metrics/feature_network.hpp>
#include <stipple/models/image_classifier.hpp>

namespace stipple {

/// The 64 numbers that the last layer of an ImageClassifier sees, for gray images of 28 x 28 pixels. Images of 32 x 32
/// are taken for digits with two pixels of padding at each edge, which are cut off.
class ClassifierFeatures : public FeatureNetwork {
 public:
  /// Reads the weights of a network of the default configuration, as the program train_classifier writes them. Throws
  /// Error if the file cannot be read or is of another network.
  explicit ClassifierFeatures(const FilePath& weights);

  /// The class (N) of each of the images (N, 28, 28, 1), or (N, 32, 32, 1), in [-1, 1].
  Tensor<std::int32_t> classify(const Tensor<float>& images) const;

 private:
  ClassifierFeatures(ImageClassifier<float> net, const FilePath& weights);
  static ImageClassifier<float> read(const FilePath& weights);
  STIPPLE_IO_INLINE Tensor<float> features(const Tensor<float>& images) const override;

  ImageClassifier<float> net_;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(evaluate)

#include <stipple/io/hash.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/ops/pad.hpp>

namespace stipple {

namespace detail {

/// Images of the classifier's size. Throws Error for others.
inline Tensor<float> without_padding(const Tensor<float>& images) {
  constexpr Index size = 28, padding = 2, padded = size + 2 * padding;
  Index const height = images.dim(1), width = images.dim(2);
  if (height == size && width == size) return images;
  require(height == padded && width == padded, "image_classifier: given images of ", height, " x ", width,
          " pixels, wanted ", size, " x ", size, ", or ", padded, " x ", padded, " with padding");
  return ops::pad(images, {-padding, -padding, -padding, -padding});
}

}  // namespace detail

STIPPLE_IO_INLINE ClassifierFeatures::ClassifierFeatures(const FilePath& weights)
    : ClassifierFeatures(read(weights), weights) {}

STIPPLE_IO_INLINE ClassifierFeatures::ClassifierFeatures(ImageClassifier<float> net, const FilePath& weights)
    : FeatureNetwork({"image_classifier", sha256_of_file(weights), net.config.channels, 2 * net.config.width}),
      net_(std::move(net)) {}

STIPPLE_IO_INLINE ImageClassifier<float> ClassifierFeatures::read(const FilePath& weights) {
  Rng rng;
  ImageClassifier<float> net({}, rng);
  load_weights(weights, net);
  fold_norms(net);
  return net;
}

STIPPLE_IO_INLINE Tensor<float> ClassifierFeatures::features(const Tensor<float>& images) const {
  return net_.features(Var<float>(detail::without_padding(images))).value();
}

STIPPLE_IO_INLINE Tensor<std::int32_t> ClassifierFeatures::classify(const Tensor<float>& images) const {
  require(images.defined() && images.rank() == 4, "image_classifier: given images of shape ", images.shape(),
          ", wanted (N, H, W, 1)");
  return net_.classify(detail::without_padding(images));
}

}  // namespace stipple

#endif
