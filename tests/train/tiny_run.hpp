// A run that has all sources of state: moments, average, buffers, dropout, noise, shuffling, flips, a schedule.
#pragma once

#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "invariance.hpp"
#include "tiny_net.hpp"

/// 40 random images of 2 x 3 with one channel.
inline stipple::ImageDataset tiny_images() {
  stipple::Rng rng(5);
  auto const values = rng.integers({40, 2, 3, 1}, 0, 256);
  Tensor<std::uint8_t> images(values.shape());
  std::transform(values.span().begin(), values.span().end(), images.data(),
                 [](std::int32_t v) { return static_cast<std::uint8_t>(v); });
  return {images, {}};
}

template <class T>
stipple::Model<TinyNet<T, stipple::Cpu>> tiny_model(std::uint64_t seed = 1) {
  stipple::Rng rng(seed);
  return stipple::Model<TinyNet<T, stipple::Cpu>>(TinyNet<T, stipple::Cpu>(6, rng));
}

/// The network is to find the image in an image with noise.
template <class T>
auto tiny_loss(const stipple::Model<TinyNet<T, stipple::Cpu>>& model) {
  return [&model](const stipple::ImageBatch& batch, stipple::Rng& rng) {
    auto const clean = batch.images.reshape({batch.images.dim(0), 6});
    auto const noise = rng.normal(clean.shape(), stipple::Purpose::noise);
    auto const noisy = stipple::ops::add(clean, stipple::ops::affine(noise, 0.5));
    return mean_squared_error(model(Var<T>(stipple::ops::cast<T>(noisy))), stipple::ops::cast<T>(clean));
  };
}

inline stipple::TrainerConfig tiny_config(const stipple::FilePath& out) {
  stipple::TrainerConfig config;
  config.batch = 8;
  config.ema = 0.99;
  config.out = out;
  config.seed = 7;
  config.flip = true;
  config.schedule = stipple::CosineDecay{.steps = 200, .warmup = 10};
  config.max_norm = 1;
  config.quiet = true;
  return config;
}

inline constexpr stipple::AdamW tiny_optimizer{{.learning_rate = 1e-2}};
