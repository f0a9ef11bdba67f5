// Pictures that several examples draw.
#pragma once

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

/// Image i of a batch in [-1, 1] with a title.
inline st::ImagePanel panel(std::string title, const st::Tensor<float>& images, st::Index i = 0) {
  auto const pixels = st::to_uint8(images.slice(i, i + 1));
  return {std::move(title), pixels.reshape({pixels.dim(1), pixels.dim(2), pixels.dim(3)})};
}

/// States (N, H, W, C) in [-1, 1] one after another: a row for each sample, time to the right.
inline void write_history(const st::FilePath& path, const std::vector<st::Tensor<float>>& states) {
  auto const count = static_cast<st::Index>(states.size()), n = states.front().dim(0);
  st::Tensor<float> all(states.front().shape().with(0, n * count));
  for (st::Index i = 0; i < n; ++i)
    for (st::Index j = 0; j < count; ++j)
      all.slice(i * count + j, i * count + j + 1).copy_from(states[static_cast<std::size_t>(j)].slice(i, i + 1));
  st::write_grid(path, all, {.columns = count, .scale = 2});
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
