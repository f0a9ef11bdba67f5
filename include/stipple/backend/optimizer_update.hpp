// What an optimiser's step does to the arenas of a model.
#pragma once

#include <array>

#include <stipple/core/device.hpp>
#include <stipple/core/dtype.hpp>

namespace stipple {

/// The arenas of one model, all of one length, which is a multiple of 32 elements. C is float or double.
template <class C, Device D = Cpu>
struct OptimizerArrays {
  typename D::template pointer<C> weights = nullptr;
  typename D::template pointer<const C> gradients = nullptr;
  std::array<typename D::template pointer<C>, 3> moments{};  ///< those that the update does not keep are null
  typename D::template pointer<C> average = nullptr;         ///< moving average of the weights, or null
  typename D::template pointer<bf16> working = nullptr;      ///< weights rounded to bf16, or null
};

/// With g = gradient_scale * gradient + l2 w, m <- m + rate1 (g - m) and v <- beta2 v + rate2 g^2:
/// w <- keep w - step_size m / (root_scale sqrt(v) + epsilon). A third moment keeps the largest v, which then replaces
/// v in the root.
template <class C>
struct AdamUpdate {
  C gradient_scale = 1, l2 = 0, keep = 1, rate1 = 0, beta2 = 0, rate2 = 0, root_scale = 1, epsilon = 0, step_size = 0;
  C average_rate = 0;  ///< average += average_rate (w - average)
};

/// With g = gradient_scale * gradient + l2 w and m <- momentum m + g: w <- w - learning_rate m, or
/// w - learning_rate (g + momentum m) with `nesterov`. Without moments: w - learning_rate g.
template <class C>
struct SgdUpdate {
  C gradient_scale = 1, l2 = 0, momentum = 0, learning_rate = 0;
  bool nesterov = false;
  C average_rate = 0;
};

}  // namespace stipple
