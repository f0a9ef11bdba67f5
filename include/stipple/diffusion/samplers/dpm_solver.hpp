// DPM-Solver++ and its kin: multistep solvers of order 1 to 3 for the probability-flow equation, and of order 1 and 2
// for the stochastic one.
#pragma once

#include <cstdint>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/levels.hpp>

namespace stipple {

/// What a solver integrates exactly but for a polynomial.
enum class DpmAlgorithm {
  dpm_solver_pp,      ///< the predicted x0 (DPM-Solver++, Lu et al. 2022, arXiv 2211.01095)
  dpm_solver,         ///< the predicted noise (DPM-Solver, Lu et al. 2022, arXiv 2206.00927); wants end_at_smallest
  sde_dpm_solver_pp,  ///< x0, with noise in every step (arXiv 2211.01095, section 5); order 1 or 2
  sde_dpm_solver,     ///< noise, with noise in every step; order 1 or 2, wants end_at_smallest
};

/// The form of order 2.
enum class DpmSecondOrder {
  midpoint,  ///< half the difference of the first order's weight (arXiv 2211.01095, eq. 22)
  heun,      ///< the exact integral of a straight line
};

struct DpmSolverOptions {
  int steps = 0;                        ///< number of calls of the network; 0 for all timesteps of training
  std::vector<int> timesteps{};         ///< or the falling list itself
  Spacing spacing = Spacing::linspace;  ///< how `steps` are spread; see Schedule::solver_timesteps
  int steps_offset = 0;                 ///< see Schedule::timesteps
  bool karras = false;                  ///< noise levels after Karras et al. 2022, eq. 5 (rho = 7), instead
  bool exponential = false;             ///< noise levels with equal steps of log(sigma / alpha), instead
  int order = 2;                        ///< 1 (DDIM), 2 or 3
  DpmAlgorithm algorithm = DpmAlgorithm::dpm_solver_pp;
  DpmSecondOrder second_order = DpmSecondOrder::midpoint;
  bool lower_order_final = true;  ///< below 15 steps, the order falls to 1 towards the end
  bool euler_at_final = false;    ///< the last step has order 1
  bool end_at_smallest = false;   ///< the last step goes to the least noise of training instead of the data
  Prediction prediction = Prediction::epsilon;
  bool clip_sample = false;  ///< bounds the predicted x0 to [-clip_range, clip_range]
  double clip_range = 1;
  bool thresholding = false;  ///< dynamic thresholding of x0 (Saharia et al. 2022); replaces clip_sample
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  std::uint64_t first_sample = 0;  ///< index of the first sample, for runs that share out a batch
  SamplerCallback callback{};

  /// True for the stochastic algorithms.
  bool stochastic() const {
    return algorithm == DpmAlgorithm::sde_dpm_solver_pp || algorithm == DpmAlgorithm::sde_dpm_solver;
  }
};

namespace detail {

// `sample_dpm_solver`.
template <Real S, Device D>
Tensor<S, D> run_dpm_solver(const DenoiserFunction<S, D>& denoise, const Tensor<S, D>& x_T, const NoiseLevels& levels,
                            const NoiseFunction<S, D>& noise, const DpmSolverOptions& options);

}  // namespace detail

/// DPM-Solver++ multistep (Lu et al. 2022) or another `algorithm`: from x_T (N, ...), standard normals, to x_0, one
/// call of the network a step. `f` is a denoiser or a network. The last step goes to the data (sigma = 0) with order 1.
///
/// `noise`, an Rng or a source of normals (step, shape) -> Tensor<S>, is drawn from in every step of a stochastic
/// algorithm but one to the data; see sample_ddpm. Throws for bad options, a start without samples, and a denoiser that
/// returns another shape.
template <Real S, Device D, class F, class Process, class Noise>
Tensor<S, D> sample_dpm_solver(const F& f, const Tensor<S, D>& x_T, const Process& process, Noise&& noise,
                               const DpmSolverOptions& options) {
  return detail::run_dpm_solver<S, D>(detail::denoiser_function<S, D>(f), x_T,
                                      noise_levels(process, LevelChoice("sample_dpm_solver", options, true)),
                                      detail::noise_function<S, D>(noise, options.first_sample), options);
}

/// The same without randomness: throws for a stochastic algorithm.
template <Real S, Device D, class F, class Process>
Tensor<S, D> sample_dpm_solver(const F& f, const Tensor<S, D>& x_T, const Process& process,
                               const DpmSolverOptions& options = {}) {
  require(!options.stochastic(),
          "sample_dpm_solver: given a stochastic algorithm without an Rng, wanted one before the options");
  detail::NoiseFunction<S, D> none;
  return sample_dpm_solver(f, x_T, process, none, options);
}

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

#include <stipple/ops/arithmetic.hpp>

namespace stipple::detail {

// Weights of a step: of x, of the integrated predictions (of x0 or the noise), newest first, and of normals.
struct SolverWeights {
  double x = 0;
  std::array<double, 3> prediction{};
  double noise = 0;
};

inline bool integrates_noise(DpmAlgorithm algorithm) {
  return algorithm == DpmAlgorithm::dpm_solver || algorithm == DpmAlgorithm::sde_dpm_solver;
}

// The step from levels[i] to levels[i + 1]. arXiv 2211.01095, algorithm 2 and section 5; with alpha and sigma exchanged
// and h negated, this is arXiv 2206.00927 for the noise. Order 3 is diffusers' form, which gives half the weight to the
// second derivative that the exact integral has: errors fall with the square of the step, as with order 2, and are two
// to three times smaller.
inline SolverWeights solver_weights(const std::vector<NoiseLevel>& levels, std::size_t i, int order,
                                    const DpmSolverOptions& o) {
  NoiseLevel const &now = levels[i], &next = levels[i + 1];
  SolverWeights w;
  if (next.sigma == 0) {  // h is infinite: x becomes x0
    w.prediction[0] = next.alpha;
    return w;
  }
  double const h = next.lambda() - now.lambda();
  bool const of_noise = integrates_noise(o.algorithm);
  w.x = of_noise ? next.alpha / now.alpha : next.sigma / now.sigma;
  if (h == 0) return w;
  double length = of_noise ? -h : h;
  double scale = of_noise ? next.sigma : next.alpha;
  if (o.algorithm == DpmAlgorithm::sde_dpm_solver_pp) {
    w.x *= std::exp(-h);
    w.noise = next.sigma * std::sqrt(-std::expm1(-2 * h));
    length *= 2;
  } else if (o.algorithm == DpmAlgorithm::sde_dpm_solver) {
    w.noise = next.sigma * std::sqrt(std::expm1(2 * h));
    scale *= 2;
  }
  double const decay = std::expm1(-length);
  w.prediction[0] = -scale * decay;
  if (order == 1) return w;
  double const r0 = (now.lambda() - levels[i - 1].lambda()) / h;
  double const midpoint = -0.5 * scale * decay, line = scale * (decay / length + 1);
  if (order == 2) {  // D1 = (m0 - m1) / r0
    double const of_d1 = (o.second_order == DpmSecondOrder::midpoint ? midpoint : line) / r0;
    w.prediction[0] += of_d1;
    w.prediction[1] = -of_d1;
    return w;
  }
  // D1 = d0 + r0 / (r0 + r1) (d0 - d1), D2 = (d0 - d1) / (r0 + r1) with d0 = (m0 - m1) / r0, d1 = (m1 - m2) / r1.
  double const r1 = (levels[i - 1].lambda() - levels[i - 2].lambda()) / h;
  double const of_d2 = -scale * ((decay + length) / (length * length) - 0.5);
  double const shared = (line * r0 + of_d2) / (r0 + r1);
  double const d0 = (line + shared) / r0, d1 = -shared / r1;
  w.prediction[0] += d0;
  w.prediction[1] = d1 - d0;
  w.prediction[2] = -d1;
  return w;
}

inline void check_dpm_solver(const char* name, const DpmSolverOptions& o) {
  require(o.order >= 1 && o.order <= 3, name, ": given order ", o.order, ", wanted 1, 2 or 3");
  require(!o.stochastic() || o.order < 3, name, ": given order 3 of a stochastic algorithm, wanted 1 or 2");
  require(!integrates_noise(o.algorithm) || o.end_at_smallest, name,
          ": given an algorithm that integrates the noise up to the data, wanted end_at_smallest");
}

template <Real S, Device D>
Tensor<S, D> run_dpm_solver(const DenoiserFunction<S, D>& denoise, const Tensor<S, D>& x_T, const NoiseLevels& levels,
                            const NoiseFunction<S, D>& noise, const DpmSolverOptions& options) {
  constexpr const char* name = "sample_dpm_solver";
  check_start(name, x_T);
  X0Bound const bound(name, options);
  check_dpm_solver(name, options);
  require(static_cast<bool>(levels.of_ratio), name, ": given a flow, wanted a schedule or EDM's noise levels");
  require(levels.at.front().alpha > 0 || !integrates_noise(options.algorithm), name,
          ": given an algorithm that integrates the noise from where nothing of the data is left (abar = 0), wanted "
          "timesteps below it");
  Tensor<S, D> x = levels.start == 1 ? x_T : ops::affine(x_T, levels.start);
  std::vector<Tensor<S, D>> before;  // predictions of the last steps, newest first
  std::size_t const steps = levels.at.size() - 1;
  for (std::size_t i = 0; i < steps; ++i) {
    auto const& now = levels.at[i];
    bool const last = i + 1 == steps;
    int order = std::min(options.order, static_cast<int>(i) + 1);
    if (options.lower_order_final && steps < 15) order = std::min(order, static_cast<int>(steps - i));
    if (last && (options.euler_at_final || levels.at.back().sigma == 0)) order = 1;
    auto const w = solver_weights(levels.at, i, order, options);
    StepWeights weights;
    weights.x0_form = now.x0;
    weights.x = w.x;
    weights.x0 = w.prediction[0];
    if (integrates_noise(options.algorithm)) {  // the noise is (x - alpha x0) / sigma
      weights.x += w.prediction[0] / now.sigma;
      weights.x0 *= -now.alpha / now.sigma;
    }
    std::vector<const Tensor<S, D>*> extras;
    for (std::size_t k = 1; k < static_cast<std::size_t>(order); ++k) {
      weights.extra[extras.size()] = w.prediction[k];
      extras.push_back(&before[k - 1]);
    }
    Tensor<S, D> z;
    if (w.noise > 0) {
      z = step_noise(name, noise, static_cast<int>(i), x.shape());
      weights.extra[extras.size()] = w.noise;
      extras.push_back(&z);
    }
    auto const result = step(weights, bound, x, predict(name, denoise, x, now.timestep), extras, true);
    before.insert(before.begin(), integrates_noise(options.algorithm)
                                      ? weighted_sum(1 / now.sigma, x, -now.alpha / now.sigma, result.x0)
                                      : result.x0);
    before.resize(std::min<std::size_t>(before.size(), 2));
    x = result.x;
    if (!report(options.callback, i, steps, now.timestep, result)) break;
  }
  return x;
}

#define STIPPLE_INSTANCES(S, D)                                                                                      \
  template Tensor<S, D> run_dpm_solver<S, D>(const DenoiserFunction<S, D>&, const Tensor<S, D>&, const NoiseLevels&, \
                                             const NoiseFunction<S, D>&, const DpmSolverOptions&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
