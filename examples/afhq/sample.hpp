// What `afhq sample` is to do, and the part of it that depends on the element type of the network.
#pragma once

#include <vector>

#include <stipple/io/checkpoint.hpp>
#include <stipple/io/image.hpp>
#include <stipple/train/progress.hpp>
#include <stipple/train/signals.hpp>

#include "afhq/draw.hpp"
#include "afhq/options.hpp"

namespace afhq {

struct SamplingTask {
  st::FilePath checkpoint, out;
  std::string device, precision;
  Description description;
  SamplerSettings settings;
  st::Index batch = 8;
  std::vector<st::Index> numbers;    ///< of the images that are still to be drawn
  std::vector<std::int32_t> labels;  ///< one a number; empty for a network without classes
  bool quiet = false;

  st::FilePath image_path(st::Index number) const { return out / (std::to_string(number) + ".png"); }
};

/// Draws and writes the images; returns the signal that ended the work, or 0.
int draw_fp32(const SamplingTask& task);
int draw_bf16(const SamplingTask& task);
int draw_cuda(const SamplingTask& task);

/// Of a batch that a signal interrupts nothing is written.
template <class T, class D>
int draw(const SamplingTask& task) {
  auto model = make_net<T, D>(task.description, 0);
  st::load_checkpoint(task.checkpoint, model);
  auto const& net = model.has_ema() ? model.ema() : model.net();
  auto const count = static_cast<st::Index>(task.numbers.size());
  st::StopSignals const signals;
  st::Index const batches = count / task.batch + (count % task.batch != 0 ? 1 : 0);
  st::Progress progress(0, batches * task.settings.sampler.steps, task.quiet, st::peak_memory<D>);
  std::int64_t steps = 0;
  auto const on_step = [&] {
    progress.update(++steps, std::numeric_limits<double>::quiet_NaN());
    return signals.received() == 0;
  };
  for (st::Index begin = 0; begin < count && signals.received() == 0; begin += task.batch) {
    st::Index const n = std::min(task.batch, count - begin);
    auto const numbers = std::span(task.numbers).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n));
    st::Tensor<std::int32_t> labels;
    if (!task.labels.empty())
      labels = st::Tensor<std::int32_t>(
          {n}, std::span(task.labels).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n)));
    auto const samples = draw_samples<D>(net, task.description, task.settings, numbers, labels, on_step);
    if (signals.received() != 0) break;
    auto const pixels = st::to_uint8(samples);
    for (st::Index i = 0; i < n; ++i)
      st::write_png(task.image_path(numbers[static_cast<std::size_t>(i)]),
                    pixels.slice(i, i + 1).reshape({pixels.dim(1), pixels.dim(2), pixels.dim(3)}));
  }
  return signals.received();
}

}  // namespace afhq
