// What one step of a sampler does to its arrays.
#pragma once

#include <array>
#include <limits>

#include <stipple/core/device.hpp>

namespace stipple {

/// x0 = clamp(x0_of_x x + x0_of_prediction p, -clip, clip);
/// out = x x + prediction p + x0 x0 + sum over k of extra[k] extras[k].
template <class T>
struct UpdateWeights {
  static constexpr int max_extras = 3;
  T x0_of_x = 0, x0_of_prediction = 0;
  T clip = std::numeric_limits<T>::infinity();
  T x = 0, prediction = 0, x0 = 0;
  std::array<T, max_extras> extra{};
};

/// Arrays of n elements; the first null pointer among the extras ends them.
template <class T, Device D = Cpu>
using UpdateExtras = std::array<typename D::template pointer<const T>, UpdateWeights<T>::max_extras>;

}  // namespace stipple
