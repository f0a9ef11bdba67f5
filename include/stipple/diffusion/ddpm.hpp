// Training of diffusion models: noise the data, predict, compare.
#pragma once

#include <string_view>

#include <stipple/autograd/loss.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/denoiser.hpp>
#include <stipple/diffusion/noise.hpp>
#include <stipple/diffusion/process.hpp>

namespace stipple {

/// How prediction and target are compared, averaged over all elements. d is their difference.
enum class Loss {
  l2,     ///< d^2 (Ho et al. 2020, eq. 14)
  l1,     ///< |d|
  huber,  ///< d^2 / 2 below |d| = 1, |d| - 1/2 above
};

/// "l1", "l2" or "huber".
STIPPLE_INLINE Loss loss_by_name(std::string_view name);

/// The mean of `kind` over all elements, in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> prediction_loss(Loss kind, const Var<T, D>& prediction,
                                        const Tensor<accumulate_t<T>, D>& target);

/// What a network is shown and what it should say: x_t and t (N), and the target of its prediction.
template <Real T, Device D = Cpu>
struct NoisedBatch {
  Tensor<T, D> x_t;
  Tensor<accumulate_t<T>, D> t, target;
};

struct DdpmOptions {
  Prediction prediction = Prediction::epsilon;
  Loss loss = Loss::l2;
};

/// The training objective of Ho et al. 2020, algorithm 1, and its variants.
struct Ddpm {
  Schedule schedule;
  DdpmOptions options;

  explicit Ddpm(Schedule noise_schedule, DdpmOptions settings = {})
      : schedule(std::move(noise_schedule)), options(settings) {}

  /// Draws one t uniform in [0, T) and one noise a sample of `x0` (N, ...), keyed by first_sample + i, and noises the
  /// data for a network of element type T. On a GPU nothing waits, and the random numbers are the same.
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, Rng& rng, std::uint64_t first_sample = 0) const;

  /// The loss of `net` on a batch. `conditions`, such as class labels (N), are passed to it after x_t and t.
  template <Real T, Device D, class Net, class... Conditions>
  auto loss(const Net& net, const NoisedBatch<T, D>& batch, const Conditions&... conditions) const {
    Var<T, D> const prediction = net(Var<T, D>(batch.x_t), batch.t, conditions...);
    require(prediction.shape() == batch.x_t.shape(), "Ddpm: the network returned shape ", prediction.shape(), " for ",
            batch.x_t.shape(), ", wanted the same");
    return prediction_loss(options.loss, prediction, batch.target);
  }

  /// The same for data `x0`, with timesteps and noise from `rng`: one number, ready for backward().
  template <class Net, Device D, class... Conditions>
  auto loss(const Net& net, const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions) const {
    using T = network_element_t<Net, D, Conditions...>;
    return loss(net, noised<T>(x0, rng), conditions...);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Loss loss_by_name(std::string_view name) {
  if (name == "l2") return Loss::l2;
  if (name == "l1") return Loss::l1;
  require(name == "huber", "loss: given '", name, "', wanted l1, l2 or huber");
  return Loss::huber;
}
#endif

template <Real T, Device D>
Var<accumulate_t<T>, D> prediction_loss(Loss kind, const Var<T, D>& prediction,
                                        const Tensor<accumulate_t<T>, D>& target) {
  switch (kind) {
    case Loss::l2:
      return mse_loss(prediction, target);
    case Loss::l1:
      return l1_loss(prediction, target);
    case Loss::huber:
      break;
  }
  return smooth_l1_loss(prediction, target);
}

template <Real T, Device D>
NoisedBatch<T, D> Ddpm::noised(const Tensor<float, D>& x0, Rng& rng, std::uint64_t first_sample) const {
  require(x0.defined() && x0.rank() >= 1 && x0.size() > 0, "Ddpm: given data of shape ", x0.shape(),
          ", wanted samples along the first axis");
  auto const t = rng.integers({x0.dim(0)}, 0, schedule.num_train_timesteps(), Purpose::timestep, first_sample);
  auto const noise = draw_normal<D>(rng, x0.shape(), Purpose::noise, first_sample);
  NoisedBatch<T, D> batch;
  if constexpr (std::same_as<T, double>)
    batch.x_t = ops::cast<T>(q_sample(schedule, x0, t, noise));
  else
    batch.x_t = q_sample<T>(schedule, x0, t, noise);
  Tensor<accumulate_t<T>> steps(t.shape());
  for (Index i = 0; i < t.size(); ++i) steps.data()[i] = static_cast<accumulate_t<T>>(t.data()[i]);
  batch.t = to<D>(steps);
  batch.target = ops::cast<accumulate_t<T>>(prediction_target(schedule, options.prediction, x0, t, noise));
  return batch;
}

#define STIPPLE_INSTANCES(T, D)                                                                                      \
  template Var<accumulate_t<T>, D> prediction_loss<T, D>(Loss, const Var<T, D>&, const Tensor<accumulate_t<T>, D>&); \
  template NoisedBatch<T, D> Ddpm::noised<T, D>(const Tensor<float, D>&, Rng&, std::uint64_t) const;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
