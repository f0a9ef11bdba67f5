// Euler's method for the probability-flow equation, and its ancestral form.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/ode_steps.hpp>

namespace stipple {

struct EulerOptions {
  int steps = 0;                        ///< number of calls of the network; 0 for all timesteps of training
  std::vector<int> timesteps{};         ///< or the falling list itself
  Spacing spacing = Spacing::linspace;  ///< how `steps` are spread; linspace has fractions of timesteps
  int steps_offset = 0;                 ///< see Schedule::timesteps
  bool karras = false;                  ///< noise levels after Karras et al. 2022, eq. 5 (rho = 7), between their ends
  bool exponential = false;             ///< noise levels with equal steps of log sigma between their ends
  bool end_at_smallest = false;         ///< the last step goes to the least noise of training instead of the data
  double eta = 0;                       ///< 1: the noise of DDPM's posterior in every step (Euler ancestral); 0: none
  double s_churn = 0;  ///< noise before steps, S_churn of Karras et al. 2022, algorithm 2; not with eta
  double s_tmin = 0;   ///< the sigmas, in the scale of the data, between which there is any
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

/// Euler's method (Karras et al. 2022, algorithm 2 without its correction): from x_T (N, ...), standard normals, to
/// x_0. `f` is a denoiser or a network.
///
/// Steps are taken in sigma and in the scale of the data, y = x / alpha with noise sigma / alpha, but x is that of
/// q_sample here as in every other sampler of a `Schedule`: callbacks and networks get x, of which diffusers'
/// EulerDiscreteScheduler keeps y = x sqrt(1 + sigma^2). The last step goes to the data (sigma = 0). At the same
/// timesteps and without churn this is DDIM, with its eta.
///
/// `noise`, an Rng or a source of normals (step, shape) -> Tensor<S>, is drawn from where eta or churn want it; see
/// sample_ddpm. With churn the network sees x with the noise, at the timestep of its level. Throws for bad options, a
/// start without samples, and a denoiser that returns another shape.
template <Real S, Device D, class F, class Process, class Noise>
Tensor<S, D> sample_euler(const F& f, const Tensor<S, D>& x_T, const Process& process, Noise&& noise,
                          const EulerOptions& options) {
  constexpr const char* name = "sample_euler";
  detail::OdeSettings settings(name, options);
  settings.eta = options.eta;
  return detail::run_ode<S, D>(name, detail::denoiser_function<S, D>(f), x_T,
                               noise_levels(process, LevelChoice(name, options)),
                               detail::noise_function<S, D>(noise, options.first_sample), settings);
}

/// The same without randomness: throws unless eta and s_churn are 0.
template <Real S, Device D, class F, class Process>
Tensor<S, D> sample_euler(const F& f, const Tensor<S, D>& x_T, const Process& process,
                          const EulerOptions& options = {}) {
  detail::require_no_noise("sample_euler", options.s_churn, options.eta);
  detail::NoiseFunction<S, D> none;
  return sample_euler(f, x_T, process, none, options);
}

}  // namespace stipple
