// Noise schedules: the betas of the forward process q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I), what
// follows from them, and the timesteps that a sampler visits. All in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/core/error.hpp>

namespace stipple {

/// How `Schedule::timesteps` spreads n of T timesteps (Lin et al. 2023, table 2, after diffusers).
enum class Spacing {
  leading,    ///< every (T / n)-th from 0, rounded down; the first step starts below T - 1
  trailing,   ///< every (T / n)-th from T - 1 down; the last stops above 0
  linspace,   ///< from T - 1 to 0, both included
  quadratic,  ///< (T - 1) (i / (n - 1))^2: dense near the data (Song et al. 2021, appendix D.2)
};

/// A discrete schedule. Index t = 0 .. T - 1 stands for the papers' t = 1 .. T. The letters are those of Ho et al.
/// 2020: alpha_t = 1 - beta_t, abar_t = alphas_cumprod[t].
struct Schedule {
  std::vector<double> betas;
  std::vector<double> alphas;
  std::vector<double> alphas_cumprod;
  std::vector<double> alphas_cumprod_prev;  ///< abar_{t-1}, with 1 before the first
  std::vector<double> sqrt_recip_alphas;    ///< 1 / sqrt(alpha_t)
  std::vector<double> sqrt_alphas_cumprod;
  std::vector<double> sqrt_one_minus_alphas_cumprod;
  std::vector<double> posterior_variance;              ///< beta_t (1 - abar_{t-1}) / (1 - abar_t), eq. 7
  std::vector<double> posterior_log_variance_clipped;  ///< its logarithm, with entry 1 in place of the zero at 0
  std::vector<double> posterior_mean_coef1;            ///< of x_0 in the mean of q(x_{t-1} | x_t, x_0), eq. 7
  std::vector<double> posterior_mean_coef2;            ///< of x_t in it

  /// Throws unless every beta is in (0, 1); the last may be 1, which leaves nothing of the data (abar = 0).
  explicit Schedule(std::vector<double> noise_variances);

  static constexpr double smallest_variance = 1e-20;

  /// T, the number of timesteps of training.
  int num_train_timesteps() const { return static_cast<int>(betas.size()); }
  /// abar of timestep t; 1 for t = -1, the data. Throws for any other t outside of [0, T).
  double alpha_bar(int t) const;

  /// `steps` timesteps in falling order, as diffusers' DDPM and DDIM schedulers choose them. `steps_offset` is added
  /// with leading spacing. Leading spacing without offset is the list of the DDIM paper's code and of most courses.
  /// Throws unless 1 <= steps <= T and all timesteps stay below T.
  std::vector<int> timesteps(int steps, Spacing spacing = Spacing::leading, int steps_offset = 0) const;
  /// The same for solvers of higher order: the list of steps + 1 without its last, so that no step starts at the data
  /// end. With trailing and quadratic spacing, and when every timestep is asked for, `timesteps`.
  std::vector<int> solver_timesteps(int steps, Spacing spacing = Spacing::linspace, int steps_offset = 0) const;

 private:
  int timestep(int i, int steps, Spacing spacing, int steps_offset, const std::vector<int>& before) const;
};

/// T and the variances at its two ends; the defaults are those of Ho et al. 2020.
struct BetaRange {
  int num_train_timesteps = 1000;
  double beta_start = 1e-4;
  double beta_end = 0.02;
};

namespace detail {
// n numbers from `first` to `last`, both included.
STIPPLE_INLINE std::vector<double> linspace(double first, double last, int n);
}  // namespace detail

/// Any list of betas.
STIPPLE_INLINE Schedule from_betas(std::vector<double> betas);

/// beta from beta_start to beta_end in equal steps (Ho et al. 2020, section 4).
STIPPLE_INLINE Schedule linear_schedule(const BetaRange& range = {});

/// sqrt(beta) in equal steps.
STIPPLE_INLINE Schedule quadratic_schedule(const BetaRange& range = {});

/// diffusers' name for the quadratic schedule.
STIPPLE_INLINE Schedule scaled_linear_schedule(const BetaRange& range = {});

/// beta along the logistic function between -6 and 6.
STIPPLE_INLINE Schedule sigmoid_schedule(const BetaRange& range = {});

/// The offset s and the clipping of beta. diffusers' squaredcos_cap_v2 is {.min_beta = 0, .max_beta = 0.999}.
struct CosineRange {
  int num_train_timesteps = 1000;
  double s = 0.008;
  double min_beta = 1e-4;
  double max_beta = 0.9999;
};

/// abar_t = cos^2((t/T + s) / (1 + s) pi/2) up to a factor, clipped by way of beta (Nichol and Dhariwal 2021, eq. 17).
STIPPLE_INLINE Schedule cosine_schedule(const CosineRange& range = {});

/// The schedule shifted and scaled so that nothing of the data is left at the last timestep: abar_{T-1} = 0, abar_0
/// kept (Lin et al. 2023, algorithm 1). Noise cannot be predicted there: use Prediction::v or x0. Or so that
/// abar_{T-1} = `least`, from which noise levels can be spread and noise can be predicted: diffusers' Euler and
/// DPM-Solver schedulers leave 2^-24.
STIPPLE_INLINE Schedule rescale_zero_terminal_snr(const Schedule& schedule, double least = 0);

/// "linear", "quadratic", "sigmoid" or "scaled_linear" over this range, or "cosine", of which betas are no settings,
/// with its defaults.
STIPPLE_INLINE Schedule schedule_by_name(std::string_view name, const BetaRange& range);
/// The same with the defaults of all.
STIPPLE_INLINE Schedule schedule_by_name(std::string_view name, int num_train_timesteps);

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_INLINE Schedule::Schedule(std::vector<double> noise_variances) : betas(std::move(noise_variances)) {
  require(!betas.empty(), "Schedule: given no betas, wanted at least one");
  double product = 1;
  for (std::size_t t = 0; t < betas.size(); ++t) {
    double const beta = betas[t], before = product;
    require(beta > 0 && (beta < 1 || (beta == 1 && t + 1 == betas.size())), "Schedule: given beta ", beta, " at ", t,
            ", wanted a number between 0 and 1");
    product *= 1 - beta;
    double const left = 1 - product;
    alphas.push_back(1 - beta);
    alphas_cumprod.push_back(product);
    alphas_cumprod_prev.push_back(before);
    sqrt_recip_alphas.push_back(1 / std::sqrt(1 - beta));
    sqrt_alphas_cumprod.push_back(std::sqrt(product));
    sqrt_one_minus_alphas_cumprod.push_back(std::sqrt(left));
    posterior_variance.push_back(beta * (1 - before) / left);
    posterior_mean_coef1.push_back(std::sqrt(before) * beta / left);
    posterior_mean_coef2.push_back(std::sqrt(1 - beta) * (1 - before) / left);
  }
  for (std::size_t t = 0; t < betas.size(); ++t)
    posterior_log_variance_clipped.push_back(std::log(
        std::max(smallest_variance, posterior_variance[t > 0 ? t : std::min<std::size_t>(1, betas.size() - 1)])));
}

STIPPLE_INLINE double Schedule::alpha_bar(int t) const {
  require(t >= -1 && t < num_train_timesteps(), "Schedule: given timestep ", t, ", wanted one of 0 to ",
          num_train_timesteps() - 1);
  return t < 0 ? 1.0 : alphas_cumprod[static_cast<std::size_t>(t)];
}

STIPPLE_INLINE std::vector<int> Schedule::timesteps(int steps, Spacing spacing, int steps_offset) const {
  int const total = num_train_timesteps();
  require(steps >= 1 && steps <= total, "timesteps: given ", steps, " steps, wanted 1 to ", total);
  std::vector<int> rising;
  for (int i = 0; i < steps; ++i) rising.push_back(timestep(i, steps, spacing, steps_offset, rising));
  require(rising.front() >= 0 && rising.back() < total, "timesteps: given offset ", steps_offset, " with ", steps,
          " steps, which leads to timestep ", rising.back(), " of ", total);
  return {rising.rbegin(), rising.rend()};
}

STIPPLE_INLINE std::vector<int> Schedule::solver_timesteps(int steps, Spacing spacing, int steps_offset) const {
  bool const one_more = spacing == Spacing::leading || spacing == Spacing::linspace;
  if (!one_more || steps >= num_train_timesteps()) return timesteps(steps, spacing, steps_offset);
  auto list = timesteps(steps + 1, spacing, steps_offset);
  list.pop_back();
  return list;
}

STIPPLE_INLINE int Schedule::timestep(int i, int steps, Spacing spacing, int steps_offset,
                                      const std::vector<int>& before) const {
  int const total = num_train_timesteps();
  // Halves go to even numbers, as in numpy.
  switch (spacing) {
    case Spacing::leading:
      return i * (total / steps) + steps_offset;
    case Spacing::trailing: {
      double const all = total, step = (all - all / steps) - all;  // with the roundings of numpy.arange, at halves
      return static_cast<int>(std::nearbyint(all + (steps - 1 - i) * step)) - 1;
    }
    case Spacing::linspace:
      return steps == 1 ? 0 : static_cast<int>(std::nearbyint((total - 1.0) / (steps - 1) * i));
    case Spacing::quadratic:
      break;
  }
  double const u = steps == 1 ? 1.0 : static_cast<double>(i) / (steps - 1);
  int const wanted = static_cast<int>(std::nearbyint((total - 1) * u * u));
  return before.empty() ? wanted : std::max(wanted, before.back() + 1);  // the first few round to the same number
}

}  // namespace stipple

namespace stipple::detail {

STIPPLE_INLINE std::vector<double> linspace(double first, double last, int n) {
  require(n >= 1, "schedule: given ", n, " timesteps, wanted at least one");
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(first + (last - first) * i / std::max(1, n - 1));
  if (n > 1) values.back() = last;  // the sum may miss it by a rounding
  return values;
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_INLINE Schedule from_betas(std::vector<double> betas) { return Schedule(std::move(betas)); }

STIPPLE_INLINE Schedule linear_schedule(const BetaRange& range) {
  return Schedule(detail::linspace(range.beta_start, range.beta_end, range.num_train_timesteps));
}

STIPPLE_INLINE Schedule quadratic_schedule(const BetaRange& range) {
  auto betas = detail::linspace(std::sqrt(range.beta_start), std::sqrt(range.beta_end), range.num_train_timesteps);
  for (double& beta : betas) beta *= beta;
  return Schedule(std::move(betas));
}

STIPPLE_INLINE Schedule scaled_linear_schedule(const BetaRange& range) { return quadratic_schedule(range); }

STIPPLE_INLINE Schedule sigmoid_schedule(const BetaRange& range) {
  auto betas = detail::linspace(-6, 6, range.num_train_timesteps);
  for (double& beta : betas) beta = (range.beta_end - range.beta_start) / (1 + std::exp(-beta)) + range.beta_start;
  return Schedule(std::move(betas));
}

STIPPLE_INLINE Schedule cosine_schedule(const CosineRange& range) {
  require(range.s >= 0 && range.min_beta <= range.max_beta, "cosine_schedule: given s ", range.s, " and betas from ",
          range.min_beta, " to ", range.max_beta, ", wanted s >= 0 and a rising range");
  auto abar = detail::linspace(0, 1, range.num_train_timesteps + 1);
  for (double& u : abar) {
    double const c = std::cos((u + range.s) / (1 + range.s) * std::numbers::pi / 2);
    u = c * c;
  }
  std::vector<double> betas;
  for (std::size_t t = 0; t + 1 < abar.size(); ++t)
    betas.push_back(std::clamp(1 - abar[t + 1] / abar[t], range.min_beta, range.max_beta));
  return Schedule(std::move(betas));
}

STIPPLE_INLINE Schedule rescale_zero_terminal_snr(const Schedule& schedule, double least) {
  auto const& s = schedule.sqrt_alphas_cumprod;
  require(s.size() >= 2, "rescale_zero_terminal_snr: given one timestep, wanted at least two");
  std::vector<double> betas;
  double before = 1;
  for (std::size_t t = 0; t + 1 < s.size(); ++t) {
    double const root = (s[t] - s.back()) * (s.front() / (s.front() - s.back()));
    betas.push_back(1 - root * root / before);
    before = root * root;
  }
  require(least >= 0 && least < before, "rescale_zero_terminal_snr: given abar ", least,
          " for the last timestep, wanted 0 or more and less than that of the timestep before it, ", before);
  betas.push_back(1 - least / before);
  return Schedule(std::move(betas));
}

STIPPLE_INLINE Schedule schedule_by_name(std::string_view name, int num_train_timesteps) {
  return schedule_by_name(name, BetaRange{.num_train_timesteps = num_train_timesteps});
}

STIPPLE_INLINE Schedule schedule_by_name(std::string_view name, const BetaRange& range) {
  if (name == "linear") return linear_schedule(range);
  if (name == "quadratic" || name == "scaled_linear") return quadratic_schedule(range);
  if (name == "cosine") return cosine_schedule({.num_train_timesteps = range.num_train_timesteps});
  if (name == "sigmoid") return sigmoid_schedule(range);
  fail("schedule: given '", name, "', wanted linear, quadratic, cosine, sigmoid or scaled_linear");
}

}  // namespace stipple

#endif
