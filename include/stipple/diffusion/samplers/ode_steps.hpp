// The steps of Euler's and Heun's method, with noise on the way where it is asked for.
#pragma once

#include <cstdint>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/levels.hpp>

namespace stipple::detail {

// What the steps need of a sampler's options.
struct OdeSettings {
  bool second_order = false;
  double s_churn, s_tmin, s_tmax, s_noise;
  double eta = 0;
  X0Bound bound;
  const SamplerCallback& callback;

  // `o` must outlive this.
  template <class Options>
  OdeSettings(const char* name, const Options& o)
      : s_churn(o.s_churn),
        s_tmin(o.s_tmin),
        s_tmax(o.s_tmax),
        s_noise(o.s_noise),
        bound(name, o),
        callback(o.callback) {
    require(s_churn >= 0 && s_noise >= 0, name, ": given s_churn ", s_churn, " and s_noise ", s_noise,
            ", wanted 0 or more");
  }

  // Growth of the noise before one of `steps` steps that starts at this ratio (Karras et al. 2022, algorithm 2).
  double gamma(double ratio, std::size_t steps) const {
    bool const in_range = s_tmin <= ratio && ratio <= s_tmax;
    return in_range ? std::min(s_churn / static_cast<double>(steps), std::sqrt(2.0) - 1) : 0;
  }
};

// Throws where noise is asked for and none is given.
inline void require_no_noise(const char* name, double s_churn, double eta) {
  require(s_churn == 0 && eta == 0, name, ": given s_churn ", s_churn, " and eta ", eta,
          " without an Rng, wanted one before the options");
}

// dx/dsigma = (x - x0) / sigma (Karras et al. 2022, eq. 3 and algorithm 1) in the scale of the data, from `now` to
// `ratio`, the noise that is left; the result has the scale of `next`.
inline StepWeights euler_weights(const NoiseLevel& now, const NoiseLevel& next, double ratio) {
  double const kept = ratio / now.ratio();
  StepWeights w;
  w.x0_form = now.x0;
  w.x = ratio * next.alpha / now.sigma;  // kept, in the scale of `next`; 0 where x holds nothing of the data
  w.x0 = (1 - kept) * next.alpha;
  return w;
}

// x + (sigma_next - sigma) / 2 (d + d_next) (algorithm 1, line 8): weights of the x and x0 at `next`, where Euler's
// step led, and, as extras, of those at `now`.
inline StepWeights heun_weights(const NoiseLevel& now, const NoiseLevel& next) {
  double const kept = next.ratio() / now.ratio(), slope = (1 - 1 / kept) / 2;
  StepWeights w;
  w.x0_form = next.x0;
  w.x = slope;
  w.x0 = -slope * next.alpha;
  w.extra = {(1 + kept) / 2 * next.alpha / now.alpha, (1 - kept) / 2 * next.alpha, 0};
  return w;
}

// From x_T, standard normals, along `levels`. `noise` is called once a step, and only where noise is added.
template <Real S, Device D>
Tensor<S, D> run_ode(const char* name, const DenoiserFunction<S, D>& denoise, const Tensor<S, D>& x_T,
                     const NoiseLevels& levels, const NoiseFunction<S, D>& noise, const OdeSettings& settings);

}  // namespace stipple::detail

#if STIPPLE_DEFINES(diffusion)

#include <stipple/ops/arithmetic.hpp>

namespace stipple::detail {

template <Real S, Device D>
Tensor<S, D> run_ode(const char* name, const DenoiserFunction<S, D>& denoise, const Tensor<S, D>& x_T,
                     const NoiseLevels& levels, const NoiseFunction<S, D>& noise, const OdeSettings& settings) {
  check_start(name, x_T);
  require(settings.eta >= 0 && settings.eta <= 1 && (settings.eta == 0 || settings.s_churn == 0), name, ": given eta ",
          settings.eta, " and s_churn ", settings.s_churn, ", wanted eta from 0 to 1, and one of them");
  require(levels.of_ratio || (settings.eta == 0 && settings.s_churn == 0), name,
          ": given s_churn or eta for a flow, wanted a schedule or EDM's noise levels");
  Tensor<S, D> x = levels.start == 1 ? x_T : ops::affine(x_T, levels.start);
  std::size_t const steps = levels.at.size() - 1;
  bool const keep_x0 = static_cast<bool>(settings.callback);
  for (std::size_t i = 0; i < steps; ++i) {
    NoiseLevel now = levels.at[i];
    NoiseLevel const& next = levels.at[i + 1];
    if (double const gamma = settings.gamma(now.ratio(), steps); gamma > 0 && now.alpha > 0) {
      auto const noisier = levels.of_ratio((1 + gamma) * now.ratio());
      double const added = std::sqrt(gamma * (2 + gamma)) * now.ratio();
      x = weighted_sum(noisier.alpha / now.alpha, x, noisier.alpha * added * settings.s_noise,
                       step_noise(name, noise, static_cast<int>(i), x.shape()));
      now = noisier;
    }
    // sigma_up and sigma_down of the ancestral sampler: the noise of DDPM's posterior, and what is left without it.
    double const left = next.ratio();
    double const up = settings.eta * left * std::sqrt(std::max(0.0, 1 - left * left / (now.ratio() * now.ratio())));
    auto weights = euler_weights(now, next, std::sqrt(left * left - up * up));
    Tensor<S, D> z;
    std::vector<const Tensor<S, D>*> extras;
    if (up > 0) {
      z = step_noise(name, noise, static_cast<int>(i), x.shape());
      weights.extra[0] = next.alpha * up;
      extras.push_back(&z);
    }
    bool const corrected = settings.second_order && next.sigma > 0 && now.alpha > 0;
    auto result =
        step(weights, settings.bound, x, predict(name, denoise, x, now.timestep), extras, keep_x0 || corrected);
    if (corrected) {
      auto const prediction = predict(name, denoise, result.x, next.timestep);
      result = step(heun_weights(now, next), settings.bound, result.x, prediction, {&x, &result.x0}, keep_x0);
    }
    x = result.x;
    if (!report(settings.callback, i, steps, now.timestep, result)) break;
  }
  return x;
}

#define STIPPLE_INSTANCES(S, D)                                                                        \
  template Tensor<S, D> run_ode<S, D>(const char*, const DenoiserFunction<S, D>&, const Tensor<S, D>&, \
                                      const NoiseLevels&, const NoiseFunction<S, D>&, const OdeSettings&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
