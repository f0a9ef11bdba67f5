// The noise levels that a sampler visits, and how steps between them are taken.
#pragma once

#include <functional>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/samplers/sampling.hpp>

namespace stipple {

/// A noise level x = alpha x0 + sigma eps.
struct NoiseLevel {
  double timestep = 0;          ///< what the network is told
  double alpha = 1, sigma = 0;  ///< 1 and 0: the data
  LinearForm x0{1, 0};          ///< x0 of x and the network's output

  /// sigma in the scale of the data.
  double ratio() const { return sigma / alpha; }
  /// Half the logarithm of the signal-to-noise ratio.
  double lambda() const { return std::log(alpha) - std::log(sigma); }
};

/// The levels of a run.
struct NoiseLevels {
  std::vector<NoiseLevel> at;  ///< falling: one a step, and where the last step goes
  double start = 1;            ///< what makes standard normals noise of the first level
  /// The level of a ratio; empty where no noise may be added on the way.
  std::function<NoiseLevel(double)> of_ratio{};
};

/// The fields of a sampler's options that choose its levels.
struct LevelChoice {
  const char* name;  ///< of the sampler, for errors
  int steps = 0;
  std::vector<int> timesteps{};
  Spacing spacing = Spacing::linspace;
  int steps_offset = 0;
  bool karras = false, exponential = false;
  bool end_at_smallest = false;
  Prediction prediction = Prediction::epsilon;
  bool whole_timesteps = false;  ///< as DPM-Solver's: no fractions, and Schedule::solver_timesteps

  template <class Options>
  LevelChoice(const char* sampler, const Options& o, bool whole = false)
      : name(sampler),
        steps(o.steps),
        timesteps(o.timesteps),
        spacing(o.spacing),
        steps_offset(o.steps_offset),
        karras(o.karras),
        exponential(o.exponential),
        end_at_smallest(o.end_at_smallest),
        prediction(o.prediction),
        whole_timesteps(whole) {
    require(!karras || !exponential, name, ": given both karras and exponential, wanted one of them");
    require(timesteps.empty() || !(karras || exponential), name, ": given both ", karras ? "karras" : "exponential",
            " and timesteps, wanted one of them");
  }
};

/// The levels of a schedule. alpha^2 + sigma^2 = 1, and x is that of q_sample. Throws for bad choices, and where
/// nothing of the data is left (alpha = 0) for a predicted noise, and for levels between timesteps.
STIPPLE_INLINE NoiseLevels noise_levels(const Schedule& schedule, const LevelChoice& choice);

namespace detail {

// Throws for a choice of timesteps where there are none, and for Prediction::v, which wants a schedule.
STIPPLE_INLINE void require_steps_alone(const LevelChoice& choice, const char* process);

// `n` numbers from `high` to `low`, both included, with equal steps of their rho-th root (Karras et al. 2022, eq. 5).
STIPPLE_INLINE std::vector<double> karras_sigmas(double high, double low, int n, double rho);
// The same with equal steps of their logarithm.
STIPPLE_INLINE std::vector<double> exponential_sigmas(double high, double low, int n);

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple::detail {

STIPPLE_INLINE void require_steps_alone(const LevelChoice& choice, const char* process) {
  require(choice.timesteps.empty() && choice.spacing == Spacing::linspace && choice.steps_offset == 0, choice.name,
          ": given timesteps, a spacing or an offset for ", process, ", wanted steps alone");
  require(choice.steps >= 1, choice.name, ": given ", choice.steps, " steps for ", process, ", wanted at least 1");
  require(choice.prediction != Prediction::v, choice.name, ": given prediction v for ", process,
          ", wanted epsilon, x0 or flow");
}

// Powers and exponentials miss the ends by a rounding, by which s_tmin and s_tmax would leave them out.
inline std::vector<double> with_ends(std::vector<double> sigmas, double high, double low) {
  sigmas.back() = low;
  sigmas.front() = high;
  return sigmas;
}

STIPPLE_INLINE std::vector<double> karras_sigmas(double high, double low, int n, double rho) {
  auto sigmas = linspace(std::pow(high, 1 / rho), std::pow(low, 1 / rho), n);
  for (double& sigma : sigmas) sigma = std::pow(sigma, rho);
  return with_ends(std::move(sigmas), high, low);
}

STIPPLE_INLINE std::vector<double> exponential_sigmas(double high, double low, int n) {
  auto sigmas = linspace(std::log(high), std::log(low), n);
  for (double& sigma : sigmas) sigma = std::exp(sigma);
  return with_ends(std::move(sigmas), high, low);
}

// Levels at and between the timesteps of a schedule.
class ScheduleLevels {
 public:
  ScheduleLevels(const char* name, const Schedule& schedule, Prediction prediction)
      : name_(name), abar_(schedule.alphas_cumprod), prediction_(prediction) {}

  // Between two timesteps, sigma / alpha is linear, as in diffusers.
  NoiseLevel at(double t) const {
    auto const below = static_cast<std::size_t>(t);
    double const share = t - static_cast<double>(below);
    double const abar = abar_[below];
    if (prediction_ == Prediction::epsilon || share > 0) require_data(abar, below);
    if (share == 0) return level(t, std::sqrt(abar), std::sqrt(1 - abar));
    double const above = abar_[below + 1];
    require_data(above, below + 1);
    double const ratio = (1 - share) * ratio_of(abar) + share * ratio_of(above);
    double const alpha = 1 / std::sqrt(ratio * ratio + 1);
    return level(t, alpha, ratio * alpha);
  }

  // At a given sigma / alpha; the timestep is linear in its logarithm, and at the nearest end outside of the table.
  NoiseLevel of_ratio(double ratio, bool whole_timestep) const {
    double t = 0;
    if (abar_.size() > 1) {
      auto const above =
          std::partition_point(abar_.begin(), abar_.end(), [&](double abar) { return ratio_of(abar) <= ratio; });
      auto const below = std::clamp<std::ptrdiff_t>(above - abar_.begin() - 1, 0, std::ssize(abar_) - 2);
      double const low = ratio_of(abar_[static_cast<std::size_t>(below)]);
      double const high = ratio_of(abar_[static_cast<std::size_t>(below) + 1]);
      t = static_cast<double>(below) + std::clamp(std::log(ratio / low) / std::log(high / low), 0.0, 1.0);
    }
    double const alpha = 1 / std::sqrt(ratio * ratio + 1);
    return level(whole_timestep ? std::nearbyint(t) : t, alpha, ratio * alpha);
  }

 private:
  void require_data(double abar, std::size_t t) const {
    require(abar > 0, name_, ": nothing of the data is left at timestep ", t, " (abar = 0), wanted timesteps below it",
            prediction_ == Prediction::epsilon ? ", or another prediction" : "");
  }
  static double ratio_of(double abar) { return std::sqrt((1 - abar) / abar); }
  NoiseLevel level(double t, double alpha, double sigma) const {
    return {t, alpha, sigma, x0_form(prediction_, alpha, sigma)};
  }

  const char* name_;
  std::vector<double> abar_;
  Prediction prediction_;
};

}  // namespace stipple::detail

namespace stipple {

STIPPLE_INLINE NoiseLevels noise_levels(const Schedule& schedule, const LevelChoice& choice) {
  detail::ScheduleLevels const levels(choice.name, schedule, choice.prediction);
  bool const whole = choice.whole_timesteps;
  int const last = schedule.num_train_timesteps() - 1;
  auto const chosen = detail::chosen_timesteps(choice.name, schedule, choice, [&](int steps) {
    return whole ? schedule.solver_timesteps(steps, choice.spacing, choice.steps_offset)
                 : schedule.timesteps(steps, choice.spacing, choice.steps_offset);
  });
  auto const steps = static_cast<int>(chosen.size());
  std::vector<double> timesteps(chosen.begin(), chosen.end());
  if (!whole && choice.timesteps.empty() && choice.spacing == Spacing::linspace && steps > 1)
    timesteps = detail::linspace(last, 0, steps);

  NoiseLevels result;
  if (choice.karras || choice.exponential) {
    double const high = levels.at(whole ? last : timesteps.front()).ratio();
    require(std::isfinite(high), choice.name, ": given noise levels up to infinity (abar = 0), wanted timesteps");
    double const low = levels.at(whole ? 0 : timesteps.back()).ratio();
    auto const ratios =
        choice.karras ? detail::karras_sigmas(high, low, steps, 7) : detail::exponential_sigmas(high, low, steps);
    for (double const ratio : ratios) result.at.push_back(levels.of_ratio(ratio, whole));
  } else {
    for (double const t : timesteps) result.at.push_back(levels.at(t));
  }
  result.at.push_back(choice.end_at_smallest ? levels.at(0) : NoiseLevel{});
  result.of_ratio = [levels](double ratio) { return levels.of_ratio(ratio, false); };
  return result;
}

}  // namespace stipple

#endif
