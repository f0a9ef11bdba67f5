// Data sets made from other data sets.
#pragma once

#include <span>
#include <utility>

#include <stipple/core/compiled.hpp>
#include <stipple/data/loader.hpp>

namespace stipple {

/// The images with `pixels` more of this value at each edge; the labels are shared.
STIPPLE_INLINE ImageDataset padded(const ImageDataset& dataset, Index pixels, std::uint8_t value = 0);

/// These samples of a data set, in this order. Throws Error for one that it does not have.
STIPPLE_INLINE ImageDataset subset(const ImageDataset& dataset, std::span<const Index> samples);

/// Cuts a data set in two at random, as the seed decides: `first` samples, and all others. Throws Error if one of the
/// parts is empty.
STIPPLE_INLINE std::pair<ImageDataset, ImageDataset> random_split(const ImageDataset& dataset, Index first,
                                                                  std::uint64_t seed);

/// Images (N, H, W, C) of a batch, each moved by -most to `most` pixels along both axes; pixels that come in hold
/// `fill`, black by default. Image i moves by a random number that depends on the draw and first_sample + i. Throws
/// Error unless 0 <= most < H and W.
STIPPLE_INLINE Tensor<float> randomly_shifted(const Tensor<float>& images, Index most, Rng& rng, float fill = -1,
                                              std::uint64_t first_sample = 0);

}  // namespace stipple

#if STIPPLE_DEFINES(data)

namespace stipple {

STIPPLE_INLINE ImageDataset padded(const ImageDataset& dataset, Index pixels, std::uint8_t value) {
  dataset.check();
  require(pixels >= 0 && pixels <= 1 << 16, "padded: given ", pixels, " pixels, wanted neither negative nor huge");
  auto const& from = dataset.images;
  Index const height = from.dim(1), row = from.dim(2) * from.dim(3), edge = pixels * from.dim(3);
  Index const out_height = height + 2 * pixels, out_row = row + 2 * edge;
  Tensor<std::uint8_t> to({from.dim(0), out_height, from.dim(2) + 2 * pixels, from.dim(3)}, value);
  for (Index i = 0; i < from.dim(0); ++i)
    for (Index y = 0; y < height; ++y)
      std::copy_n(from.data() + (i * height + y) * row, row,
                  to.data() + (i * out_height + pixels + y) * out_row + edge);
  return {to, dataset.labels};
}

STIPPLE_INLINE ImageDataset subset(const ImageDataset& dataset, std::span<const Index> samples) {
  dataset.check();
  auto const n = static_cast<Index>(samples.size());
  ImageDataset part{Tensor<std::uint8_t>(dataset.images.shape().with(0, n)), {}};
  if (dataset.labels.defined()) part.labels = Tensor<std::int32_t>({n});
  for (Index i = 0; i < n; ++i) {
    Index const sample = samples[static_cast<std::size_t>(i)];
    require(sample >= 0 && sample < dataset.size(), "subset: given sample ", sample, " of ", dataset.size());
    part.images.slice(i, i + 1).copy_from(dataset.images.slice(sample, sample + 1));
    if (part.labels.defined()) part.labels.data()[i] = dataset.labels.data()[sample];
  }
  return part;
}

STIPPLE_INLINE std::pair<ImageDataset, ImageDataset> random_split(const ImageDataset& dataset, Index first,
                                                                  std::uint64_t seed) {
  require(first > 0 && first < dataset.size(), "random_split: given ", first, " of ", dataset.size(),
          " samples for the first part, wanted some in both");
  auto const order = epoch_order(dataset.size(), seed, -1);  // no epoch of a loader has this order
  auto const all = std::span(order);
  return {subset(dataset, all.first(static_cast<std::size_t>(first))),
          subset(dataset, all.subspan(static_cast<std::size_t>(first)))};
}

STIPPLE_INLINE Tensor<float> randomly_shifted(const Tensor<float>& images, Index most, Rng& rng, float fill,
                                              std::uint64_t first_sample) {
  require(images.defined() && images.rank() == 4, "randomly_shifted: given shape ", images.shape(),
          ", wanted images (N, H, W, C)");
  Index const height = images.dim(1), width = images.dim(2), channels = images.dim(3);
  require(most >= 0 && most < std::min(height, width), "randomly_shifted: given ", most, " pixels for images of ",
          height, " x ", width, ", wanted fewer than they have");
  auto const limit = static_cast<std::int32_t>(most);
  auto const moves = rng.integers({images.dim(0), 2}, -limit, limit + 1, Purpose::data, first_sample);
  Tensor<float> result(images.shape(), fill);
  for (Index i = 0; i < images.dim(0); ++i) {
    Index const down = moves.data()[2 * i], right = moves.data()[2 * i + 1];
    Index const left = std::max<Index>(0, -right), columns = width - std::abs(right);
    for (Index y = std::max<Index>(0, -down); y < std::min(height, height - down); ++y)
      std::copy_n(images.data() + ((i * height + y) * width + left) * channels, columns * channels,
                  result.data() + ((i * height + y + down) * width + left + right) * channels);
  }
  return result;
}

}  // namespace stipple

#endif
