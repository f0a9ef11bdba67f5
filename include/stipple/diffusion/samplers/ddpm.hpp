// The DDPM sampler: ancestral sampling along the reversed chain.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/sampling.hpp>

namespace stipple {

/// Variance of p(x_{t-1} | x_t).
enum class Variance {
  fixed_small,    ///< of the posterior q(x_{t-1} | x_t, x_0) (Ho et al. 2020, eq. 7)
  fixed_large,    ///< beta_t
  learned_range,  ///< between both in the logarithm, by a second half of output channels v in [-1, 1] (Nichol and
                  ///< Dhariwal 2021, eq. 15); the denoiser returns (N, ..., 2 C), the prediction first
};

struct DdpmSamplerOptions {
  int steps = 0;                       ///< number of timesteps; 0 for all of training's
  std::vector<int> timesteps{};        ///< or the falling list itself
  Spacing spacing = Spacing::leading;  ///< how `steps` are spread
  int steps_offset = 0;                ///< see Schedule::timesteps
  Variance variance = Variance::fixed_small;
  Prediction prediction = Prediction::epsilon;
  bool clip_sample = false;  ///< bounds the predicted x0 to [-clip_range, clip_range]
  double clip_range = 1;
  bool thresholding = false;  ///< dynamic thresholding of x0 (Saharia et al. 2022); replaces clip_sample
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  /// diffusers' DDPMScheduler adds noise in its last step as well, unless that is timestep 0. It shows with
  /// fixed_large and a list that ends above 0, and leaves its users with noise in the picture.
  bool noise_at_last_step = false;
  std::uint64_t first_sample = 0;  ///< index of the first sample, for runs that share out a batch
  SamplerCallback callback{};
};

namespace detail {

/// (x - (1 - alpha) / sqrt(1 - abar) eps) / sqrt(alpha) (Ho et al. 2020, eq. 11), written with x0 and x as in eq. 7,
/// so that x0 can be bounded. alpha = abar / abar_previous takes a step over any distance.
STIPPLE_INLINE StepWeights ddpm_weights(Prediction prediction, double abar, double abar_previous);

// `sample_ddpm`.
template <Real S, Device D>
Tensor<S, D> run_ddpm(const DenoiserFunction<S, D>& eps, const Tensor<S, D>& x_T, const Schedule& schedule,
                      const NoiseFunction<S, D>& noise, const DdpmSamplerOptions& options);

}  // namespace detail

/// DDPM (Ho et al. 2020, algorithm 2): from x_T (N, ...), standard normals, to x_0. `f` is a denoiser or a network.
///
/// Steps go from each listed timestep to the next, and from the last to the data (abar = 1), without noise there.
/// `noise` is an Rng or a source of normals (step, shape) -> Tensor<S>. With an Rng, sample i gets the same noise in
/// any batch: it depends on the seed, the draw (one a step) and first_sample + i. Throws for bad options, a start
/// without samples, and a denoiser that returns another shape.
template <Real S, Device D, class F, class Noise>
Tensor<S, D> sample_ddpm(const F& f, const Tensor<S, D>& x_T, const Schedule& schedule, Noise&& noise,
                         const DdpmSamplerOptions& options = {}) {
  return detail::run_ddpm<S, D>(detail::denoiser_function<S, D>(f), x_T, schedule,
                                detail::noise_function<S, D>(noise, options.first_sample), options);
}

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple::detail {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE StepWeights ddpm_weights(Prediction prediction, double abar, double abar_previous) {
  double const alpha = abar / abar_previous, beta = 1 - alpha;
  StepWeights w;
  w.x0_form = x0_form(prediction, std::sqrt(abar), std::sqrt(1 - abar));
  w.x0 = std::sqrt(abar_previous) * beta / (1 - abar);
  w.x = std::sqrt(alpha) * (1 - abar_previous) / (1 - abar);
  return w;
}
#endif

// Splits (..., 2 C) into the prediction (..., C) and z scaled by the standard deviation that the other half sets.
// On the host.
template <Real S, Device D>
Tensor<S, D> split_learned_variance(const Tensor<S, D>& both, Tensor<S, D>& z, double smallest, double largest) {
  if constexpr (!std::same_as<D, Cpu>) {
    auto scaled = to<Cpu>(z);
    auto const prediction = split_learned_variance(to<Cpu>(both), scaled, smallest, largest);
    z = to<D>(scaled);
    return to<D>(prediction);
  } else {
    Tensor<S> prediction(z.shape());
    Index const channels = z.dim(-1);
    double const low = std::log(std::max(smallest, Schedule::smallest_variance)), high = std::log(largest);
    parallel_for(z.size() / channels, std::max<Index>(1, 4096 / channels), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const S* const from = std::as_const(both).data() + 2 * i * channels;
        for (Index c = 0; c < channels; ++c) {
          double const fraction = (static_cast<double>(from[channels + c]) + 1) / 2;
          prediction.data()[i * channels + c] = from[c];
          z.data()[i * channels + c] *= static_cast<S>(std::exp((fraction * high + (1 - fraction) * low) / 2));
        }
      }
    });
    return prediction;
  }
}

template <Real S, Device D>
Tensor<S, D> run_ddpm(const DenoiserFunction<S, D>& eps, const Tensor<S, D>& x_T, const Schedule& schedule,
                      const NoiseFunction<S, D>& noise, const DdpmSamplerOptions& options) {
  constexpr const char* name = "sample_ddpm";
  check_start(name, x_T);
  X0Bound const bound(name, options);
  auto const timesteps = chosen_timesteps(name, schedule, options, [&](int steps) {
    return schedule.timesteps(steps, options.spacing, options.steps_offset);
  });
  bool const learned = options.variance == Variance::learned_range;
  Tensor<S, D> x = x_T;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    int const t = timesteps[i];
    bool const last = i + 1 == timesteps.size();
    double const abar = schedule.alpha_bar(t), abar_previous = last ? 1 : schedule.alpha_bar(timesteps[i + 1]);
    double const beta = 1 - abar / abar_previous;
    double const posterior_variance = (1 - abar_previous) / (1 - abar) * beta;
    auto prediction = predict(name, eps, x, t, learned ? 2 : 1);
    auto weights = ddpm_weights(options.prediction, abar, abar_previous);
    bool const noisy = !last || (options.noise_at_last_step && t > 0);
    Tensor<S, D> z;
    if (noisy) z = step_noise(name, noise, static_cast<int>(i), x.shape());
    if (learned) {
      if (!noisy) z = Tensor<S, D>(x.shape(), S(0));
      if (!z.unique()) z = z.clone();  // the source kept what it returned
      prediction = split_learned_variance(prediction, z, posterior_variance, beta);
      weights.extra[0] = 1;
    } else if (noisy) {
      weights.extra[0] = std::sqrt(options.variance == Variance::fixed_large ? beta : posterior_variance);
    }
    std::vector<const Tensor<S, D>*> extras;
    if (noisy) extras.push_back(&z);
    auto const now = step(weights, bound, x, prediction, extras, static_cast<bool>(options.callback));
    x = now.x;
    if (!report(options.callback, i, timesteps.size(), t, now)) break;
  }
  return x;
}

#define STIPPLE_INSTANCES(S, D)                                                                             \
  template Tensor<S, D> run_ddpm<S, D>(const DenoiserFunction<S, D>&, const Tensor<S, D>&, const Schedule&, \
                                       const NoiseFunction<S, D>&, const DdpmSamplerOptions&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
