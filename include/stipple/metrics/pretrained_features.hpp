// Feature networks whose weights were trained elsewhere and come from a safetensors file: Inception v3 in the forms
// that figures are usually stated for, and MobileNetV2, which is small enough to be at hand everywhere.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/metrics/feature_network.hpp>
#include <stipple/models/inception_v3.hpp>
#include <stipple/models/mobilenet_v2.hpp>

namespace stipple {

class SafetensorsFile;

/// Whose Inception v3: how it pools, and how images are brought to its size.
enum class InceptionVersion {
  pytorch_fid,  ///< the first FID's network as PyTorch's mseitzer/pytorch-fid has it; bilinear, to 299 x 299 pixels
  torchvision,  ///< torchvision's with ImageNet weights; images as above, as pytorch-fid has it, not cut out
  afhq,         ///< of StarGAN v2 and the AFHQ assignments: torchvision's; 8-bit images by Pillow, to 256 x 256 pixels
};

/// "pytorch_fid", "torchvision" or "afhq".
STIPPLE_IO_INLINE std::string to_text(InceptionVersion version);
/// Throws Error for any other name.
STIPPLE_IO_INLINE InceptionVersion inception_version_by_name(const std::string& name);

/// What the network sees of images (N, H, W, 3) in [-1, 1].
STIPPLE_IO_INLINE Tensor<float> inception_input(const Tensor<float>& images, InceptionVersion version);

/// Inception v3 up to the average over all pixels, 2048 features, computed on D; images and features are the CPU's.
/// Named "inception_v3_" and the version.
template <Device D = Cpu>
class InceptionFeatures : public FeatureNetwork {
 public:
  /// Reads a state dictionary with torchvision's names, or StarGAN v2's (block1.0 ... block4.2); classifiers in it are
  /// passed over. Unless `version` is given it is told from the file: `afhq` by its names, `pytorch_fid` by 1008
  /// classes, otherwise `torchvision`. Throws Error if the file cannot be read or is of another network.
  explicit InceptionFeatures(const FilePath& weights, std::optional<InceptionVersion> version = std::nullopt);

  InceptionVersion version() const { return version_; }

 private:
  InceptionFeatures(const SafetensorsFile& file, std::optional<InceptionVersion> version);
  Tensor<float> features(const Tensor<float>& images) const override;

  InceptionVersion version_;
  InceptionV3<float, D> net_;
};

/// What MobileNetV2 sees of images (N, H, W, 3) in [-1, 1]: 8-bit pictures, resized to 224 x 224 pixels as Pillow does
/// it, less the mean of ImageNet's and over their deviation.
STIPPLE_IO_INLINE Tensor<float> mobilenet_input(const Tensor<float>& images);

/// MobileNetV2 with ImageNet weights and torchvision's names: the 1280 features that its classifier sees. Named
/// "mobilenet_v2". Computed on D, as above.
template <Device D = Cpu>
class MobilenetFeatures : public FeatureNetwork {
 public:
  /// Throws Error if the file cannot be read or is of another network.
  explicit MobilenetFeatures(const FilePath& weights);

 private:
  Tensor<float> features(const Tensor<float>& images) const override;

  MobilenetV2<float, D> net_;
};

/// The feature network of either kind whose weights the file holds, to be computed on D: on a GPU in
/// TF32 unless `cuda::set_allow_tf32(false)` was called. Throws Error if it is neither.
template <Device D = Cpu>
std::unique_ptr<FeatureNetwork> load_feature_network(const FilePath& weights);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(evaluate)

#include <algorithm>
#include <array>

#include <stipple/data/dataset.hpp>
#include <stipple/data/resample.hpp>
#include <stipple/io/hash.hpp>
#include <stipple/io/image.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/ops/resize.hpp>

namespace stipple::detail {

inline constexpr std::array inception_versions{"pytorch_fid", "torchvision", "afhq"};

/// Images in [-1, 1] as 8-bit pictures, resized as Pillow does it; in [-1, 1] again.
inline Tensor<float> resized_pictures(const Tensor<float>& images, Index extent) {
  Tensor<float> result({images.dim(0), extent, extent, images.dim(3)});
  auto const pixels = to_uint8(images);
  for (Index i = 0; i < images.dim(0); ++i) {
    auto const picture = pixels.slice(i, i + 1).reshape({images.dim(1), images.dim(2), images.dim(3)});
    auto const resized = resampled(picture, extent, extent);
    float* const to = result.data() + i * resized.size();
    for (Index j = 0; j < resized.size(); ++j) to[j] = pixel_values()[resized.data()[j]];
  }
  return result;
}

/// StarGAN v2's file: the network cut before its pools, and the pieces numbered.
inline bool has_numbered_blocks(const SafetensorsFile& file) { return file.contains("block1.0.conv.weight"); }

/// "Mixed_7a.branch3x3_1.conv.weight" to "block4.0.branch3x3_1.conv.weight".
inline std::string numbered_block(const std::string& name) {
  using Net = InceptionV3<float>;
  auto const dot = name.find('.');
  auto const first = name.substr(0, dot), rest = name.substr(dot);
  // `names` make two blocks; the second starts at number `start`.
  auto const place = [&](auto const& names, std::size_t start, int block) -> std::string {
    auto const at = static_cast<std::size_t>(std::find(names.begin(), names.end(), first) - names.begin());
    if (at == names.size()) return {};
    bool const second = at >= start;
    return "block" + std::to_string(second ? block + 1 : block) + "." + std::to_string(second ? at - start : at) + rest;
  };
  auto const in_stem = place(Net::stem_names, 3, 1);
  return in_stem.empty() ? place(Net::block_names, 8, 3) : in_stem;
}

inline InceptionVersion inception_version(const SafetensorsFile& file) {
  if (has_numbered_blocks(file)) return InceptionVersion::afhq;
  bool const first_fid = file.contains("fc.weight") && file.info("fc.weight").shape[0] == 1008;
  return first_fid ? InceptionVersion::pytorch_fid : InceptionVersion::torchvision;
}

template <Device D>
InceptionV3<float, D> read_inception(const SafetensorsFile& file, InceptionVersion version) {
  bool const tensorflow = version == InceptionVersion::pytorch_fid;
  Rng rng;
  InceptionV3<float, D> net({.pooling = tensorflow ? InceptionPooling::tensorflow : InceptionPooling::torchvision},
                            rng);
  LoadOptions options{.ignored = {"fc.", "AuxLogits.", "final_fc."}};
  if (has_numbered_blocks(file)) options.name_in_file = numbered_block;
  load_weights(file.path(), net, options);
  fold_norms(net);
  return net;
}

template <Device D>
MobilenetV2<float, D> read_mobilenet(const SafetensorsFile& file) {
  auto const head = file.info("classifier.1.weight").shape;
  Rng rng;
  MobilenetV2<float, D> net({.classes = head.rank() == 2 ? head[0] : 0}, rng);
  load_weights(file.path(), net);
  fold_norms(net);
  return net;
}

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS

STIPPLE_IO_INLINE std::string to_text(InceptionVersion version) {
  return detail::inception_versions[static_cast<std::size_t>(version)];
}

STIPPLE_IO_INLINE InceptionVersion inception_version_by_name(const std::string& name) {
  auto const& names = detail::inception_versions;
  auto const at = std::find(names.begin(), names.end(), name);
  require(at != names.end(), "inception_version_by_name: given '", name, "', wanted pytorch_fid, torchvision or afhq");
  return static_cast<InceptionVersion>(at - names.begin());
}

STIPPLE_IO_INLINE Tensor<float> inception_input(const Tensor<float>& images, InceptionVersion version) {
  if (version == InceptionVersion::afhq) return detail::resized_pictures(images, 256);
  return ops::resize(images, {299, 299}, {ResizeMode::bilinear});
}

STIPPLE_IO_INLINE Tensor<float> mobilenet_input(const Tensor<float>& images) {
  constexpr float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};  // of pixels in [0, 1]
  auto x = detail::resized_pictures(images, 224);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = (x.data()[i] / 2 + 0.5f - mean[i % 3]) / deviation[i % 3];
  return x;
}

#endif

template <Device D>
InceptionFeatures<D>::InceptionFeatures(const FilePath& weights, std::optional<InceptionVersion> version)
    : InceptionFeatures(SafetensorsFile(weights), version) {}

template <Device D>
InceptionFeatures<D>::InceptionFeatures(const SafetensorsFile& file, std::optional<InceptionVersion> version)
    : FeatureNetwork({"inception_v3_" + to_text(version.value_or(detail::inception_version(file))),
                      sha256_of_file(file.path()), 3, InceptionV3<float>::feature_size}),
      version_(version.value_or(detail::inception_version(file))),
      net_(detail::read_inception<D>(file, version_)) {}

template <Device D>
Tensor<float> InceptionFeatures<D>::features(const Tensor<float>& images) const {
  return to<Cpu>(net_(Var<float, D>(to<D>(inception_input(images, version_)))).value());
}

template <Device D>
MobilenetFeatures<D>::MobilenetFeatures(const FilePath& weights)
    : FeatureNetwork({"mobilenet_v2", sha256_of_file(weights), 3, MobilenetV2<float>::feature_size}),
      net_(detail::read_mobilenet<D>(SafetensorsFile(weights))) {}

template <Device D>
Tensor<float> MobilenetFeatures<D>::features(const Tensor<float>& images) const {
  return to<Cpu>(net_.features(Var<float, D>(to<D>(mobilenet_input(images)))).value());
}

template <Device D>
std::unique_ptr<FeatureNetwork> load_feature_network(const FilePath& weights) {
  SafetensorsFile const file(weights);
  if (file.contains("features.0.0.weight")) return std::make_unique<MobilenetFeatures<D>>(weights);
  require(file.contains("Conv2d_1a_3x3.conv.weight") || detail::has_numbered_blocks(file),
          "load_feature_network: given ", detail::quoted(weights),
          ", wanted weights of Inception v3 or MobileNetV2 under PyTorch's names");
  return std::make_unique<InceptionFeatures<D>>(weights);
}

#define STIPPLE_INSTANCES(D)           \
  template class InceptionFeatures<D>; \
  template class MobilenetFeatures<D>; \
  template std::unique_ptr<FeatureNetwork> load_feature_network<D>(const FilePath&);
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(STIPPLE_DEVICE))
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
