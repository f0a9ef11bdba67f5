// Data sets in memory, and the batches that a loader cuts from them.
#pragma once

#include <array>
#include <span>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// Images in [-1, 1] as (N, H, W, C), their labels (N), and which samples of the data set they are.
struct ImageBatch {
  Tensor<float> images;
  Tensor<std::int32_t> labels;  ///< undefined for a data set without labels
  Tensor<std::int64_t> samples;
};

/// Images in 0 ... 255 as (N, H, W, C), with labels (N) or an undefined tensor.
struct ImageDataset {
  using Batch = ImageBatch;
  static constexpr bool can_flip = true;
  static constexpr bool prefetches = true;  ///< making a batch takes long enough to be worth a thread

  Tensor<std::uint8_t> images;
  Tensor<std::int32_t> labels;

  Index size() const { return images.defined() ? images.dim(0) : 0; }
  /// Throws Error unless the images have rank 4 and every image has a label or none has.
  void check() const;
  /// The batch of these samples. With `flips` each image is mirrored left to right with probability 1/2, decided by
  /// the key and the sample's number.
  Batch batch(std::span<const Index> samples, const DrawKey* flips) const;
};

/// Points as (N, C) with their numbers in the data set.
struct PointBatch {
  Tensor<float> points;
  Tensor<std::int64_t> samples;
};

/// Points in the plane (N, 2), or in any other number of dimensions.
struct PointDataset {
  using Batch = PointBatch;
  static constexpr bool can_flip = false;
  static constexpr bool prefetches = false;

  Tensor<float> points;

  Index size() const { return points.defined() ? points.dim(0) : 0; }
  void check() const { require(points.defined() && points.rank() == 2, "PointDataset: wanted points (N, C)"); }
  Batch batch(std::span<const Index> samples, const DrawKey*) const;
};

namespace detail {

/// 0 ... 255 to -1 ... 1: 2 (v / 255) - 1 in float, as the usual pipelines compute it.
STIPPLE_INLINE const std::array<float, 256>& pixel_values();

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES(data)

namespace stipple {

STIPPLE_INLINE void ImageDataset::check() const {
  require(images.defined() && images.rank() == 4, "ImageDataset: wanted images (N, H, W, C)");
  require(!labels.defined() || labels.shape() == Shape{images.dim(0)}, "ImageDataset: given labels of shape ",
          labels.shape(), " for ", images.dim(0), " images");
}

STIPPLE_INLINE PointBatch PointDataset::batch(std::span<const Index> samples, const DrawKey*) const {
  Index const n = static_cast<Index>(samples.size()), channels = points.dim(1);
  Batch result{Tensor<float>({n, channels}), Tensor<std::int64_t>({n}, samples)};
  for (Index i = 0; i < n; ++i)
    std::copy_n(points.data() + samples[static_cast<std::size_t>(i)] * channels, channels,
                result.points.data() + i * channels);
  return result;
}

}  // namespace stipple

namespace stipple::detail {

STIPPLE_INLINE const std::array<float, 256>& pixel_values() {
  static const std::array<float, 256> values = [] {
    std::array<float, 256> v{};
    for (int i = 0; i < 256; ++i) v[static_cast<std::size_t>(i)] = static_cast<float>(i) / 255.0f * 2.0f - 1.0f;
    return v;
  }();
  return values;
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_INLINE ImageBatch ImageDataset::batch(std::span<const Index> samples, const DrawKey* flips) const {
  Index const n = static_cast<Index>(samples.size());
  Index const height = images.dim(1), width = images.dim(2), channels = images.dim(3);
  Batch result{Tensor<float>({n, height, width, channels}), {}, Tensor<std::int64_t>({n}, samples)};
  if (labels.defined()) result.labels = Tensor<std::int32_t>({n});
  auto const& value = detail::pixel_values();
  for (Index i = 0; i < n; ++i) {
    Index const sample = samples[static_cast<std::size_t>(i)];
    const std::uint8_t* const from = images.data() + sample * height * width * channels;
    float* const to = result.images.data() + i * height * width * channels;
    bool const flipped = flips != nullptr && flips->words(static_cast<std::uint64_t>(sample), 0)[0] >> 31 != 0;
    if (flipped) {
      for (Index y = 0; y < height; ++y)
        for (Index x = 0; x < width; ++x)
          for (Index c = 0; c < channels; ++c)
            to[(y * width + x) * channels + c] = value[from[(y * width + width - 1 - x) * channels + c]];
    } else {
      for (Index j = 0; j < height * width * channels; ++j) to[j] = value[from[j]];
    }
    if (labels.defined()) result.labels.data()[i] = labels.data()[sample];
  }
  return result;
}

}  // namespace stipple

#endif
