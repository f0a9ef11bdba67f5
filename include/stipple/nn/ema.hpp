// Ema: how a moving average follows the weights.
#pragma once

#include <algorithm>
#include <cstdint>

namespace stipple {

/// Exponential moving average: after every optimiser step, average <- decay average + (1 - decay) weights.
struct Ema {
  double decay = 0.999;
  /// Lets the decay of update t = 0, 1, ... rise as min(decay, (1 + t) / (10 + t)), so that the first weights are soon
  /// forgotten.
  bool warmup = false;

  double decay_at(std::int64_t update) const {
    auto const t = static_cast<double>(update);
    return warmup ? std::min(decay, (1 + t) / (10 + t)) : decay;
  }
};

}  // namespace stipple
