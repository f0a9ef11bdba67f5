// Heun's method for the probability-flow equation: second order, two calls of the network a step.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/ode_steps.hpp>

namespace stipple {

struct HeunOptions {
  int steps = 0;                        ///< number of steps, with 2 steps - 1 calls; 0 for all timesteps of training
  std::vector<int> timesteps{};         ///< or the falling list itself
  Spacing spacing = Spacing::linspace;  ///< how `steps` are spread; linspace has fractions of timesteps
  int steps_offset = 0;                 ///< see Schedule::timesteps
  bool karras = false;                  ///< noise levels after Karras et al. 2022, eq. 5 (rho = 7), between their ends
  bool exponential = false;             ///< noise levels with equal steps of log sigma between their ends
  bool end_at_smallest = false;         ///< the last step goes to the least noise of training instead of the data
  double s_churn = 0;                   ///< noise before steps, S_churn of Karras et al. 2022, algorithm 2
  double s_tmin = 0;                    ///< the sigmas, in the scale of the data, between which there is any
  double s_tmax = std::numeric_limits<double>::infinity();
  double s_noise = 1;  ///< its standard deviation
  Prediction prediction = Prediction::epsilon;
  bool clip_sample = false;  ///< bounds the predicted x0 to [-clip_range, clip_range]
  double clip_range = 1;
  bool thresholding = false;  ///< dynamic thresholding of x0 (Saharia et al. 2022); replaces clip_sample
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  std::uint64_t first_sample = 0;  ///< index of the first sample, for runs that share out a batch
  SamplerCallback callback{};
};

/// Heun's method (Karras et al. 2022, algorithm 2): Euler's step, then the mean of the slopes at its two ends, from
/// x_T (N, ...), standard normals, to x_0. `f` is a denoiser or a network. The last step, to the data, is Euler's,
/// and so is one from noise with nothing of the data (abar = 0).
/// x, `noise`, callbacks and errors are those of sample_euler; x0 of a callback is the second prediction.
template <Real S, Device D, class F, class Process, class Noise>
Tensor<S, D> sample_heun(const F& f, const Tensor<S, D>& x_T, const Process& process, Noise&& noise,
                         const HeunOptions& options) {
  constexpr const char* name = "sample_heun";
  detail::OdeSettings settings(name, options);
  settings.second_order = true;
  return detail::run_ode<S, D>(name, detail::denoiser_function<S, D>(f), x_T,
                               noise_levels(process, LevelChoice(name, options)),
                               detail::noise_function<S, D>(noise, options.first_sample), settings);
}

/// The same without randomness: throws unless s_churn is 0.
template <Real S, Device D, class F, class Process>
Tensor<S, D> sample_heun(const F& f, const Tensor<S, D>& x_T, const Process& process, const HeunOptions& options = {}) {
  detail::require_no_noise("sample_heun", options.s_churn, 0);
  detail::NoiseFunction<S, D> none;
  return sample_heun(f, x_T, process, none, options);
}

}  // namespace stipple
