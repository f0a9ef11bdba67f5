// DPM-Solver++: deterministic multistep solvers of order 1 to 3 for the probability-flow equation.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/sampling.hpp>

namespace stipple {

struct DpmSolverOptions {
  int steps = 0;                        ///< number of calls of the network; 0 for all timesteps of training
  std::vector<int> timesteps{};         ///< or the falling list itself
  Spacing spacing = Spacing::linspace;  ///< how `steps` are spread; see Schedule::solver_timesteps
  int steps_offset = 0;                 ///< see Schedule::timesteps
  bool karras = false;                  ///< noise levels after Karras et al. 2022, eq. 5 (rho = 7), instead
  int order = 2;                        ///< 1 (DDIM), 2 or 3
  bool lower_order_final = true;        ///< below 15 steps, the order falls to 1 towards the end
  Prediction prediction = Prediction::epsilon;
  bool clip_sample = false;  ///< bounds the predicted x0 to [-clip_range, clip_range]
  double clip_range = 1;
  bool thresholding = false;  ///< dynamic thresholding of x0 (Saharia et al. 2022); replaces clip_sample
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  SamplerCallback callback{};
};

namespace detail {

// A noise level x = alpha x0 + sigma eps and the timestep that the network is told. lambda = log(alpha / sigma).
struct SolverPoint {
  int timestep = 0;
  double alpha = 1, sigma = 0;
  double lambda() const { return std::log(alpha) - std::log(sigma); }
};

// `sample_dpm_solver`.
template <Real S, Device D>
Tensor<S, D> run_dpm_solver(const DenoiserFunction<S, D>& denoise, const Tensor<S, D>& x_T, const Schedule& schedule,
                            const DpmSolverOptions& options);

}  // namespace detail

/// DPM-Solver++ multistep (Lu et al. 2022): from x_T (N, ...), standard normals, to x_0 without randomness, one call
/// of the network a step. `f` is a denoiser or a network. The last step goes to the data (sigma = 0) with order 1.
/// Throws for bad options, a start without samples, and a denoiser that returns another shape.
template <Real S, Device D, class F>
Tensor<S, D> sample_dpm_solver(const F& f, const Tensor<S, D>& x_T, const Schedule& schedule,
                               const DpmSolverOptions& options = {}) {
  return detail::run_dpm_solver<S, D>(detail::denoiser_function<S, D>(f), x_T, schedule, options);
}

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple::detail {

inline SolverPoint solver_point(const Schedule& schedule, int t) {
  double const abar = schedule.alpha_bar(t);
  require(abar > 0, "sample_dpm_solver: nothing of the data is left at timestep ", t,
          " (abar = 0), wanted timesteps below it");
  return {t, std::sqrt(abar), std::sqrt(1 - abar)};
}

// sigma / alpha from its value at T - 1 to that at 0, with equal steps of its 7th root; the timesteps are the nearest
// in log(sigma / alpha).
inline std::vector<SolverPoint> karras_points(const Schedule& schedule, int steps) {
  auto const ratio = [&](int t) {
    auto const point = solver_point(schedule, t);
    return point.sigma / point.alpha;
  };
  int const total = schedule.num_train_timesteps();
  double const rho = 7, high = std::pow(ratio(total - 1), 1 / rho), low = std::pow(ratio(0), 1 / rho);
  std::vector<SolverPoint> points;
  for (int i = 0; i < steps; ++i) {
    double const r = std::pow(steps == 1 ? high : high + (low - high) * i / (steps - 1), rho);
    int t = 0;
    while (t + 2 < total && ratio(t + 1) <= r) ++t;
    double position = t;
    if (total > 1) position += std::clamp(std::log(r / ratio(t)) / std::log(ratio(t + 1) / ratio(t)), 0.0, 1.0);
    double const alpha = 1 / std::sqrt(r * r + 1);
    points.push_back({static_cast<int>(std::nearbyint(position)), alpha, r * alpha});
  }
  return points;
}

// Weights for the step to `next` from the last of `at`, where x is: of x, of the newest x0, and of the ones before
// (`extra`). Lu et al. 2022 (DPM-Solver++), algorithm 2, midpoint form. Order 3 is diffusers' form, which gives half
// the weight to the second derivative that the exact integral has: errors fall with the square of the step, as with
// order 2, and are two to three times smaller.
inline StepWeights dpm_solver_weights(const std::vector<SolverPoint>& at, const SolverPoint& next, int order) {
  SolverPoint const now = at.back();
  StepWeights w;
  if (next.sigma == 0) {  // h is infinite: x becomes x0
    w.x0 = 1;
    return w;
  }
  double const h = next.lambda() - now.lambda(), decay = std::expm1(-h);
  w.x = next.sigma / now.sigma;
  w.x0 = -next.alpha * decay;
  if (order == 1) return w;
  double const r0 = (now.lambda() - at[at.size() - 2].lambda()) / h;
  if (order == 2) {  // D1 = (m0 - m1) / r0
    double const of_d1 = -0.5 * next.alpha * decay / r0;
    w.x0 += of_d1;
    w.extra[0] = -of_d1;
    return w;
  }
  // D1 = d0 + r0 / (r0 + r1) (d0 - d1), D2 = (d0 - d1) / (r0 + r1) with d0 = (m0 - m1) / r0, d1 = (m1 - m2) / r1.
  double const r1 = (at[at.size() - 2].lambda() - at[at.size() - 3].lambda()) / h;
  double const of_d1 = next.alpha * (decay / h + 1), of_d2 = -next.alpha * ((decay + h) / (h * h) - 0.5);
  double const shared = (of_d1 * r0 + of_d2) / (r0 + r1);
  double const d0 = (of_d1 + shared) / r0, d1 = -shared / r1;
  w.x0 += d0;
  w.extra[0] = d1 - d0;
  w.extra[1] = -d1;
  return w;
}

template <Real S, Device D>
Tensor<S, D> run_dpm_solver(const DenoiserFunction<S, D>& denoise, const Tensor<S, D>& x_T, const Schedule& schedule,
                            const DpmSolverOptions& options) {
  constexpr const char* name = "sample_dpm_solver";
  check_start(name, x_T);
  X0Bound const bound(name, options);
  require(options.order >= 1 && options.order <= 3, name, ": given order ", options.order, ", wanted 1, 2 or 3");
  require(!options.karras || options.timesteps.empty(), name, ": given both karras and timesteps, wanted one of them");
  auto const timesteps = chosen_timesteps(name, schedule, options, [&](int steps) {
    return schedule.solver_timesteps(steps, options.spacing, options.steps_offset);
  });
  std::vector<SolverPoint> points;
  if (options.karras)
    points = karras_points(schedule, static_cast<int>(timesteps.size()));
  else
    for (int const t : timesteps) points.push_back(solver_point(schedule, t));
  Tensor<S, D> x = x_T, before, before_that;  // x0 of the last two steps
  std::size_t const steps = points.size();
  for (std::size_t i = 0; i < steps; ++i) {
    auto const& now = points[i];
    int order = std::min(options.order, static_cast<int>(i) + 1);
    if (options.lower_order_final && steps < 15) order = std::min(order, static_cast<int>(steps - i));
    std::vector<SolverPoint> const at(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    auto weights = dpm_solver_weights(at, i + 1 == steps ? SolverPoint{} : points[i + 1], order);
    weights.x0_form = x0_form(options.prediction, now.alpha, now.sigma);
    auto const prediction = predict(name, denoise, x, now.timestep);
    std::vector<const Tensor<S, D>*> extras;
    if (order >= 2 && i + 1 < steps) extras.push_back(&before);
    if (order >= 3 && i + 1 < steps) extras.push_back(&before_that);
    auto const result = step(weights, bound, x, prediction, extras, true);
    x = result.x;
    before_that = before;
    before = result.x0;
    if (!report(options.callback, i, steps, now.timestep, result)) break;
  }
  return x;
}

#define STIPPLE_INSTANCES(S, D)                                                                                   \
  template Tensor<S, D> run_dpm_solver<S, D>(const DenoiserFunction<S, D>&, const Tensor<S, D>&, const Schedule&, \
                                             const DpmSolverOptions&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
