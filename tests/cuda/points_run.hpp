// A run with everything that a step can have: dropout, noise, shuffling, clipping, a moving average, a last batch of
// its own size.
#pragma once

#include <stipple/autograd/dropout.hpp>
#include <stipple/data/dataset.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/models/time_linear_net.hpp>
#include <stipple/train/trainer.hpp>

#include "compare.hpp"
#include "scratch_folder.hpp"

inline stipple::Ddpm points_ddpm() { return stipple::Ddpm(stipple::linear_schedule({.num_train_timesteps = 100})); }

/// A network with dropout, so that a step draws random numbers on the device.
template <stipple::Real T, stipple::Device D>
struct DroppingNet {
  stipple::TimeLinearNet<T, D> net;

  explicit DroppingNet(stipple::Rng& rng) : net({2, 16, 2}, rng) {}
  stipple::Var<T, D> operator()(const stipple::Var<T, D>& x,
                                const stipple::Tensor<stipple::accumulate_t<T>, D>& t) const {
    return stipple::dropout(net(x, t), 0.3);
  }
  static void each(auto& self, auto&& f) { f("", self.net); }
};

template <class T, class D>
stipple::Model<DroppingNet<T, D>> points_model(std::uint64_t seed = 1) {
  stipple::Rng rng(seed);
  return stipple::Model<DroppingNet<T, D>>(DroppingNet<T, D>(rng));
}

inline stipple::PointDataset points_data() { return {random_tensor<float>({22, 2}, 8)}; }

inline stipple::TrainerConfig points_config(const stipple::FilePath& out) {
  stipple::TrainerConfig config;
  config.batch = 8;  // the last batch of an epoch has 6
  config.ema = 0.9;
  config.out = out;
  config.seed = 7;
  config.max_norm = 1;
  config.quiet = true;
  return config;
}

inline constexpr stipple::AdamW points_optimizer{{.learning_rate = 1e-2}};
