// The frequencies of sinusoidal embeddings.
#pragma once

#include <cmath>

#include <stipple/core/shape.hpp>

namespace stipple {

/// Frequency i of `count` is scale max_period^(-i / divisor), in radians per unit of t.
struct TimestepFrequencies {
  Index count = 0;
  double scale = 1, max_period = 10000, divisor = 1;

  /// Frequency i in turns per unit of t.
  double turns(Index i) const {
    double const exponent = i == 0 ? 0 : -static_cast<double>(i) / divisor;
    return scale * std::pow(max_period, exponent) / 6.283185307179586;
  }
};

}  // namespace stipple
