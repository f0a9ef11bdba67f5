// Samples by number: sample i is the same whatever else is drawn with it.
#pragma once

#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/recorded_denoiser.hpp>

#include "afhq/description.hpp"
#include "common/samplers.hpp"

namespace afhq {

struct SamplerSettings {
  example::Sampler sampler;
  double guidance = 0;  ///< noise = (1 + w) conditional - w null
  std::uint64_t seed = 0;
};

/// Called after each step of the network; returning false ends sampling.
using OnStep = std::function<bool()>;

/// Normals for these samples; `draw` is 0 for x_T and 1, 2, ... for the steps.
inline st::Tensor<float> numbered_noise(std::uint64_t seed, std::uint64_t draw, std::span<const st::Index> numbers,
                                        const st::Shape& shape) {
  st::Tensor<float> noise(shape);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    auto const at = static_cast<st::Index>(i);
    st::Rng rng(seed, draw);
    noise.slice(at, at + 1)
        .copy_from(st::draw_normal(rng, shape.with(0, 1), st::Purpose::sample, static_cast<std::uint64_t>(numbers[i])));
  }
  return noise;
}

/// The samples with these numbers, (N, H, W, C) in about [-1, 1]; `labels` (N) is undefined for a network without
/// classes. What is returned after `on_step` said false is unfinished.
template <st::Device D, class Net>
st::Tensor<float> draw_samples(const Net& net, const Description& description, const SamplerSettings& settings,
                               std::span<const st::Index> numbers, const st::Tensor<std::int32_t>& labels,
                               const OnStep& on_step) {
  auto const x_T =
      st::to<D>(numbered_noise(settings.seed, 0, numbers, description.images(static_cast<st::Index>(numbers.size()))));
  auto const schedule = description.schedule();
  st::SamplerCallback const callback = [&](const st::SamplerStep&) { return on_step(); };
  auto const run = [&](const auto& denoiser) {
    auto const noise = [&](int step, const st::Shape& shape) {
      return st::to<D>(numbered_noise(settings.seed, 1 + static_cast<std::uint64_t>(step), numbers, shape));
    };
    return example::run_sampler<D>(settings.sampler, denoiser, x_T, schedule, noise, callback);
  };
  auto const denoiser = st::recorded<D>(net);
  if (!description.is_conditional()) return st::to<st::Cpu>(run(denoiser));
  return st::to<st::Cpu>(
      run(st::guided(denoiser, st::to<D>(labels), {.scale = settings.guidance, .null_label = Net::no_class})));
}

}  // namespace afhq
