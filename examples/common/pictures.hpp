// Pictures that several examples draw.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <stipple/io/image.hpp>
#include <stipple/io/plot.hpp>
#include <stipple/io/plot_images.hpp>
#include <stipple/ops/arithmetic.hpp>

namespace example {

namespace st = stipple;

/// Images in [-1, 1] as images in [0, 1], and the reverse.
inline st::Tensor<float> to_unit_range(const st::Tensor<float>& images) { return st::ops::affine(images, 0.5, 0.5); }
inline st::Tensor<float> from_unit_range(const st::Tensor<float>& images) { return st::ops::affine(images, 2, -1); }

/// Pixels of images (N, H, W, C) for pictures of samples on their way: the gray of each spans min(-1, its smallest
/// value) to max(1, its largest). So noise is not clipped, and an image that stays in [-1, 1] has the brightness of its
/// file.
inline st::Tensor<std::uint8_t> visible_pixels(const st::Tensor<float>& images) {
  st::Tensor<float> scaled(images.shape());
  st::Index const size = images.size() / std::max<st::Index>(1, images.dim(0));
  for (st::Index begin = 0; begin < images.size(); begin += size) {
    float low = -1, high = 1;
    for (float const value : images.span().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size))) {
      if (!std::isfinite(value)) continue;  // infinities become black and white, NaN is refused below
      low = std::min(low, value);
      high = std::max(high, value);
    }
    float const factor = 2 / (high - low), shift = -1 - low * factor;  // 1 and 0 for an image in [-1, 1]
    for (st::Index i = begin; i < begin + size; ++i) scaled.data()[i] = images.data()[i] * factor + shift;
  }
  return st::to_uint8(scaled);
}

/// Image i of a batch around [-1, 1] with a title.
inline st::ImagePanel panel(std::string title, const st::Tensor<float>& images, st::Index i = 0) {
  auto const pixels = visible_pixels(images.slice(i, i + 1));
  return {std::move(title), pixels.reshape({pixels.dim(1), pixels.dim(2), pixels.dim(3)})};
}

/// States (N, H, W, C) around [-1, 1] one after another: a row for each sample, time to the right.
inline void write_history(const st::FilePath& path, const std::vector<st::Tensor<float>>& states) {
  auto const count = static_cast<st::Index>(states.size()), n = states.front().dim(0);
  st::Tensor<float> all(states.front().shape().with(0, n * count));
  for (st::Index i = 0; i < n; ++i)
    for (st::Index j = 0; j < count; ++j)
      all.slice(i * count + j, i * count + j + 1).copy_from(states[static_cast<std::size_t>(j)].slice(i, i + 1));
  st::write_grid(path, visible_pixels(all), {.columns = count, .scale = 2});
}

/// Training and validation loss after each epoch.
inline void plot_epochs(const st::FilePath& path, const std::vector<double>& training,
                        const std::vector<double>& validation) {
  std::vector<double> epochs;
  for (std::size_t i = 0; i < training.size(); ++i) epochs.push_back(static_cast<double>(i + 1));
  st::plot_curves(path, "Loss curve", "epoch", "loss",
                  {{.label = "train loss", .x = epochs, .y = training, .color = 0x1f77b4},
                   {.label = "validation loss", .x = epochs, .y = validation, .color = 0xff00ff, .dashed = true}});
}

}  // namespace example
