// Learning-rate schedules: functions from the step (0, 1, ...) to a factor of the learning rate.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include <stipple/core/error.hpp>

namespace stipple {

/// Always 1.
struct ConstantRate {
  double operator()(std::int64_t) const { return 1; }
};

/// (step + first) / steps, then 1. With `first` 0 the first step has factor 0, as in diffusers' schedules; with 1 the
/// steps count from 1.
struct LinearWarmup {
  std::int64_t steps = 0;
  std::int64_t first = 0;

  double operator()(std::int64_t step) const {
    return step + first < steps ? static_cast<double>(step + first) / static_cast<double>(steps) : 1.0;
  }
};

/// Half a cosine wave from 1 down to `last` (Loshchilov and Hutter 2017, eq. 5, without restarts), after a linear
/// warm-up of `warmup` of the `steps`; then it stays at `last`.
struct CosineDecay {
  std::int64_t steps = 0;
  std::int64_t warmup = 0;
  double last = 0;

  /// Throws Error unless 0 <= warmup < steps.
  double operator()(std::int64_t step) const {
    require(0 <= warmup && warmup < steps, "CosineDecay: given ", steps, " steps with a warm-up of ", warmup,
            ", wanted 0 <= warmup < steps");
    if (step < warmup) return LinearWarmup{warmup}(step);
    double const progress = static_cast<double>(std::min(step, steps) - warmup) / static_cast<double>(steps - warmup);
    return last + (1 - last) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
};

/// Multiplied by `factor` after every `every` steps.
struct StepDecay {
  std::int64_t every = 1;
  double factor = 0.1;

  /// Throws Error unless `every` is positive.
  double operator()(std::int64_t step) const {
    require(every > 0, "StepDecay: given every ", every, ", wanted a positive number of steps");
    return std::pow(factor, static_cast<double>(step / every));
  }
};

/// factor^step.
struct ExponentialDecay {
  double factor = 1;

  double operator()(std::int64_t step) const { return std::pow(factor, static_cast<double>(step)); }
};

}  // namespace stipple
