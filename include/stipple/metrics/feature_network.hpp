// What stands between images and the measures over feature vectors: a network with a name and a hash.
#pragma once

#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Which network features come from. Figures are comparable only where name and hash are the same.
struct FeatureNetworkInfo {
  std::string name;    ///< "inception_v3", "mobilenet_v2", ...
  std::string hash;    ///< SHA-256 of the file of weights, in hexadecimal
  Index channels = 3;  ///< of the images
  Index dim = 0;       ///< of the features
};

/// Maps images to feature vectors. Resizing and normalising the images is the network's part.
class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;

  /// Features (N, dim()) of images (N, H, W, channels()) in [-1, 1], each image by itself. No gradients are recorded.
  /// Throws Error for another number of channels, and for values outside [-1, 1], which no file of images can hold.
  Tensor<float> operator()(const Tensor<float>& images) const;

  const FeatureNetworkInfo& info() const { return info_; }
  const std::string& name() const { return info_.name; }
  const std::string& hash() const { return info_.hash; }
  Index channels() const { return info_.channels; }
  Index dim() const { return info_.dim; }

 protected:
  explicit FeatureNetwork(FeatureNetworkInfo info) : info_(std::move(info)) {}
  FeatureNetwork(const FeatureNetwork&) = default;
  FeatureNetwork& operator=(const FeatureNetwork&) = default;

 private:
  /// (N, H, W, channels()) to (N, dim()); the images have been checked. Where a network defines it in a header, it is
  /// declared inline as well: otherwise every program that includes the header holds the network's code.
  virtual Tensor<float> features(const Tensor<float>& images) const = 0;

  FeatureNetworkInfo info_;
};

}  // namespace stipple

#if STIPPLE_DEFINES(metrics)

#include <cmath>

#include <stipple/autograd/var.hpp>

namespace stipple {

STIPPLE_INLINE Tensor<float> FeatureNetwork::operator()(const Tensor<float>& images) const {
  require(images.defined() && images.rank() == 4 && images.size() > 0 && images.dim(3) == channels(), name(),
          ": given images of shape ", images.shape(), ", wanted (N, H, W, ", channels(), ") and at least one");
  Index const pixels = images.size() / images.dim(0);
  for (Index i = 0; i < images.size(); ++i)
    require(std::abs(images.data()[i]) <= 1, name(), ": given ", images.data()[i], " in image ", i / pixels,
            ", wanted values in [-1, 1]");
  NoGrad const no_grad;
  auto result = features(images);
  require(result.shape() == Shape{images.dim(0), dim()}, name(), ": made features of shape ", result.shape(),
          ", wanted (", images.dim(0), ", ", dim(), ")");
  return result;
}

}  // namespace stipple

#endif
