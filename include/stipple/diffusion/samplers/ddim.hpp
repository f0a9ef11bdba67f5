// The DDIM sampler: few steps with the network of DDPM, deterministic with eta = 0.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/sampling.hpp>

namespace stipple {

struct DdimOptions {
  int steps = 0;                       ///< number of timesteps; 0 for all of training's
  std::vector<int> timesteps{};        ///< or the falling list itself
  Spacing spacing = Spacing::leading;  ///< how `steps` are spread
  int steps_offset = 0;                ///< see Schedule::timesteps
  bool end_at_smallest = false;        ///< the last step goes to the least noise of training instead of the data
  double eta = 0;                      ///< 0: deterministic; 1: the noise of DDPM's posterior
  Prediction prediction = Prediction::epsilon;
  bool clip_sample = false;  ///< bounds the predicted x0 to [-clip_range, clip_range]
  double clip_range = 1;
  bool thresholding = false;  ///< dynamic thresholding of x0 (Saharia et al. 2022); replaces clip_sample
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  bool epsilon_of_x0 = false;      ///< a step goes on with the noise that the bounded x0 leaves in x, not the predicted
  std::uint64_t first_sample = 0;  ///< index of the first sample, for runs that share out a batch
  SamplerCallback callback{};
};

/// sigma_t of Song et al. 2021, eq. 16.
STIPPLE_INLINE double ddim_sigma(double eta, double abar, double abar_previous);

namespace detail {

// `sample_ddim`; `noise` is not called where sigma is 0.
template <Real S, Device D>
Tensor<S, D> run_ddim(const DenoiserFunction<S, D>& eps, const Tensor<S, D>& x_T, const Schedule& schedule,
                      const NoiseFunction<S, D>& noise, const DdimOptions& options);

}  // namespace detail

/// DDIM (Song et al. 2021, eq. 12 and 16): from x_T (N, ...), standard normals, to x_0. `f` is a denoiser or a network.
///
/// Steps go from each listed timestep to the next, and from the last to the data (abar = 1), where sigma is 0. With
/// `end_at_smallest` it goes to timestep 0 (in diffusers, set_alpha_to_one = false); `epsilon_of_x0` is GLIDE's way
/// (Nichol et al. 2022; use_clipped_model_output).
/// `noise`, an Rng or a source of normals (step, shape) -> Tensor<S>, is drawn from where sigma > 0; see sample_ddpm.
/// Throws for bad options, a start without samples, and a denoiser that returns another shape.
template <Real S, Device D, class F, class Noise>
Tensor<S, D> sample_ddim(const F& f, const Tensor<S, D>& x_T, const Schedule& schedule, Noise&& noise,
                         const DdimOptions& options) {
  return detail::run_ddim<S, D>(detail::denoiser_function<S, D>(f), x_T, schedule,
                                detail::noise_function<S, D>(noise, options.first_sample), options);
}

/// The same without randomness: throws unless eta is 0.
template <Real S, Device D, class F>
Tensor<S, D> sample_ddim(const F& f, const Tensor<S, D>& x_T, const Schedule& schedule,
                         const DdimOptions& options = {}) {
  require(options.eta == 0, "sample_ddim: given eta ", options.eta, " without an Rng, wanted one before the options");
  return detail::run_ddim<S, D>(detail::denoiser_function<S, D>(f), x_T, schedule, {}, options);
}

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE double ddim_sigma(double eta, double abar, double abar_previous) {
  return eta * std::sqrt((1 - abar_previous) / (1 - abar)) * std::sqrt(1 - abar / abar_previous);
}
#endif

}  // namespace stipple

namespace stipple::detail {

/// sqrt(abar_previous) x0 + sqrt(1 - abar_previous - sigma^2) eps + sigma z (Song et al. 2021, eq. 12).
inline StepWeights ddim_weights(Prediction prediction, double abar, double abar_previous, double sigma,
                                bool epsilon_of_x0) {
  double const alpha_now = std::sqrt(abar), sigma_now = std::sqrt(1 - abar);
  double const direction = std::sqrt(std::max(0.0, 1 - abar_previous - sigma * sigma));
  LinearForm const eps = epsilon_form(epsilon_of_x0 ? Prediction::x0 : prediction, alpha_now, sigma_now);
  StepWeights w;
  w.x0_form = x0_form(prediction, alpha_now, sigma_now);
  w.x0 = std::sqrt(abar_previous);
  w.x = direction * eps.a;
  (epsilon_of_x0 ? w.x0 : w.prediction) += direction * eps.b;
  w.extra[0] = sigma;
  return w;
}

template <Real S, Device D>
Tensor<S, D> run_ddim(const DenoiserFunction<S, D>& eps, const Tensor<S, D>& x_T, const Schedule& schedule,
                      const NoiseFunction<S, D>& noise, const DdimOptions& options) {
  constexpr const char* name = "sample_ddim";
  check_start(name, x_T);
  X0Bound const bound(name, options);
  require(options.eta >= 0 && options.eta <= 1, name, ": given eta ", options.eta, ", wanted 0 to 1");
  auto const timesteps = chosen_timesteps(name, schedule, options, [&](int steps) {
    return schedule.timesteps(steps, options.spacing, options.steps_offset);
  });
  Tensor<S, D> x = x_T;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    int const t = timesteps[i];
    double const abar = schedule.alpha_bar(t);
    int const after = i + 1 < timesteps.size() ? timesteps[i + 1] : options.end_at_smallest ? 0 : -1;
    double const abar_previous = schedule.alpha_bar(after);
    double const sigma = ddim_sigma(options.eta, abar, abar_previous);
    auto const prediction = predict(name, eps, x, t);
    Tensor<S, D> z;
    std::vector<const Tensor<S, D>*> extras;
    if (sigma > 0) {
      z = step_noise(name, noise, static_cast<int>(i), x.shape());
      extras.push_back(&z);
    }
    auto const weights = ddim_weights(options.prediction, abar, abar_previous, sigma, options.epsilon_of_x0);
    auto const now = step(weights, bound, x, prediction, extras, static_cast<bool>(options.callback));
    x = now.x;
    if (!report(options.callback, i, timesteps.size(), t, now)) break;
  }
  return x;
}

#define STIPPLE_INSTANCES(S, D)                                                                             \
  template Tensor<S, D> run_ddim<S, D>(const DenoiserFunction<S, D>&, const Tensor<S, D>&, const Schedule&, \
                                       const NoiseFunction<S, D>&, const DdimOptions&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
