// Flow matching along straight lines, x_t = (1 - t) x0 + t noise (Lipman et al. 2023, "Flow Matching for Generative
// Modeling"; Liu et al. 2023, "Flow Straight and Fast", rectified flow).
#pragma once

#include <cstdint>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/diffusion/samplers/levels.hpp>

namespace stipple {

/// The times of sampling, in place of a `Schedule`: equal steps from t = 1 to `smallest`, each of which becomes
/// shift t / (1 + (shift - 1) t) (Esser et al. 2024, eq. 23), and then the data. `karras` and `exponential` among a
/// sampler's options spread the steps between these ends differently.
///
///     sample_euler(net, x_T, FlowSchedule{}, {.steps = 20, .prediction = Prediction::flow});
///
/// The network is told num_train_timesteps t.
struct FlowSchedule {
  int num_train_timesteps = 1000;
  double shift = 1;     ///< above 1: smaller steps near the noise
  double smallest = 0;  ///< 1 / steps gives equal steps down to 0; 0: diffusers', the shifted 1 / num_train_timesteps
  double terminal = 0;  ///< above 0: the shifted times are stretched from t = 1 so that the last becomes this one
};

/// Throws for bad times, no steps, timesteps, another spacing, Prediction::v, and epsilon, which says nothing of the
/// data at t = 1.
STIPPLE_INLINE NoiseLevels noise_levels(const FlowSchedule& schedule, const LevelChoice& choice);

/// How t is drawn in training.
enum class FlowTimes {
  uniform,
  logit_normal,  ///< 1 / (1 + e^-z) of a normal z: the middle more often (Esser et al. 2024, section 3.1)
};

/// The training objective: the network is to predict noise - x0, the velocity of x_t (Lipman et al. 2023, eq. 23 with
/// sigma_min = 0; Liu et al. 2023, eq. 1).
struct FlowMatching {
  int num_train_timesteps = 1000;
  FlowTimes times = FlowTimes::uniform;
  double logit_mean = 0, logit_deviation = 1;  ///< of z
  Loss compared = Loss::l2;

  /// Draws one t and one noise a sample of `x0` (N, ...), keyed by first_sample + i, and mixes them.
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, Rng& rng, std::uint64_t first_sample = 0) const {
    return noised<T>(x0, to<D>(draw_timesteps(samples_of(x0.shape()), rng, first_sample)), rng, first_sample);
  }
  /// The two halves of this, as those of Ddpm.
  STIPPLE_INLINE Tensor<float> draw_timesteps(Index n, Rng& rng, std::uint64_t first_sample = 0) const;
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, const Tensor<float, D>& timesteps, Rng& rng,
                           std::uint64_t first_sample = 0) const {
    return detail::noised_by_rows<T>("FlowMatching", x0, timesteps, rng, first_sample, Prediction::flow);
  }
  /// Throws Error for data without samples along the first axis.
  static Index samples_of(const Shape& data) { return detail::count_samples("FlowMatching", data); }

  /// The loss of `net` on a batch. `conditions`, such as class labels (N), are passed to it after x_t and t.
  template <Real T, Device D, class Net, class... Conditions>
  auto loss(const Net& net, const NoisedBatch<T, D>& batch, const Conditions&... conditions) const {
    return detail::network_loss("FlowMatching", compared, net, batch, conditions...);
  }

  /// The same for data `x0`, with times and noise from `rng`: one number, ready for backward().
  template <class Net, Device D, class... Conditions>
  auto loss(const Net& net, const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions) const {
    using T = network_element_t<Net, D, Conditions...>;
    return loss(net, noised<T>(x0, rng), conditions...);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_INLINE NoiseLevels noise_levels(const FlowSchedule& schedule, const LevelChoice& choice) {
  detail::require_steps_alone(choice, "a flow");
  require(schedule.num_train_timesteps >= 1 && schedule.shift > 0 && schedule.smallest >= 0 && schedule.smallest <= 1,
          choice.name, ": given ", schedule.num_train_timesteps, " timesteps, shift ", schedule.shift,
          " and smallest time ", schedule.smallest, ", wanted some, a shift above 0 and a time from 0 to 1");
  require(schedule.terminal >= 0 && schedule.terminal < 1, choice.name, ": given terminal time ", schedule.terminal,
          ", wanted 0 or more and less than 1");
  auto const shifted = [shift = schedule.shift](double t) { return shift * t / (1 + (shift - 1) * t); };
  // x0 = x - t v and dx/dt = v = (x - x0) / t: in steps, t is the noise of a level in the scale of the data.
  auto const level = [&](double t) {
    return NoiseLevel{schedule.num_train_timesteps * t, 1, t, x0_form(choice.prediction, 1 - t, t)};
  };
  double const smallest = schedule.smallest > 0 ? schedule.smallest : shifted(1.0 / schedule.num_train_timesteps);
  auto times = detail::linspace(1, smallest, choice.steps);
  for (double& t : times) t = shifted(t);
  if (schedule.terminal > 0 && times.back() < 1) {
    double const stretch = (1 - schedule.terminal) / (1 - times.back());
    for (double& t : times) t = 1 - (1 - t) * stretch;
  }
  if (choice.karras) times = detail::karras_sigmas(times.front(), times.back(), choice.steps, 7);
  if (choice.exponential) times = detail::exponential_sigmas(times.front(), times.back(), choice.steps);
  NoiseLevels result;
  for (double const t : times) result.at.push_back(level(t));
  result.at.push_back(choice.end_at_smallest ? level(times.back()) : NoiseLevel{});
  return result;
}

STIPPLE_INLINE Tensor<float> FlowMatching::draw_timesteps(Index n, Rng& rng, std::uint64_t first_sample) const {
  require(num_train_timesteps >= 1 && logit_deviation >= 0, "FlowMatching: given ", num_train_timesteps,
          " timesteps and logit_deviation ", logit_deviation, ", wanted some, and 0 or more");
  bool const uniform = times == FlowTimes::uniform;
  auto const drawn = uniform ? rng.uniform({n}, 0, 1, Purpose::timestep, first_sample)
                             : rng.normal({n}, Purpose::timestep, first_sample);
  Tensor<float> rows({5, n});
  for (Index i = 0; i < n; ++i) {
    auto const z = static_cast<double>(drawn.data()[i]);
    double const t = uniform ? z : 1 / (1 + std::exp(-(logit_mean + logit_deviation * z)));
    std::array const row{num_train_timesteps * t, 1 - t, t, -1.0, 1.0};
    for (std::size_t k = 0; k < 5; ++k) rows.data()[static_cast<Index>(k) * n + i] = static_cast<float>(row[k]);
  }
  return rows;
}

}  // namespace stipple

#endif
