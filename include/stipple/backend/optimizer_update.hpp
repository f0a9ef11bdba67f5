// What an optimiser's step does to the arenas of a model.
#pragma once

#include <array>
#include <limits>
#include <vector>

#include <stipple/core/device.hpp>
#include <stipple/core/dtype.hpp>
#include <stipple/core/host_device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple {

/// Numbers that have their place in an arena, from `offset` on, and lie elsewhere.
template <class C>
struct ArenaPiece {
  Index offset, size;
  const C* data;
};

/// The arenas of one model, all of one length, which is a multiple of 32 elements. C is float or double.
template <class C, Device D = Cpu>
struct OptimizerArrays {
  typename D::template pointer<C> weights = nullptr;
  typename D::template pointer<const C> gradients = nullptr;
  /// What the gradients are multiplied with, or null. If it is a NaN, an update on a GPU leaves everything as it is.
  typename D::template pointer<const double> gradient_scale = nullptr;
  std::array<typename D::template pointer<C>, 3> moments{};  ///< those that the update does not keep are null
  typename D::template pointer<C> average = nullptr;         ///< moving average of the weights, or null
  typename D::template pointer<bf16> working = nullptr;      ///< weights rounded to bf16, or null
  /// On the CPU instead of `gradients`: their pieces in the order of their places, and zeros between them.
  const std::vector<ArenaPiece<C>>* gradient_pieces = nullptr;

  bool operator==(const OptimizerArrays&) const = default;
};

/// With g = gradient_scale * gradient + l2 w, m <- m + rate1 (g - m) and v <- beta2 v + rate2 g^2:
/// w <- keep w - step_size m / (root_scale sqrt(v) + epsilon). A third moment keeps the largest v, which then replaces
/// v in the root.
template <class C>
struct AdamUpdate {
  C l2 = 0, keep = 1, rate1 = 0, beta2 = 0, rate2 = 0, root_scale = 1, epsilon = 0, step_size = 0;
  C average_rate = 0;  ///< average += average_rate (w - average)
};

/// With g = gradient_scale * gradient + l2 w and m <- momentum m + g: w <- w - learning_rate m, or
/// w - learning_rate (g + momentum m) with `nesterov`. Without moments: w - learning_rate g.
template <class C>
struct SgdUpdate {
  C l2 = 0, momentum = 0, learning_rate = 0;
  bool nesterov = false;
  C average_rate = 0;
};

/// What PyTorch's clip_grad_norm_ multiplies gradients of this norm with: 1 when it is within bounds. A NaN if the norm
/// is not finite.
STIPPLE_HOST_DEVICE inline double clip_factor(double norm, double max_norm) {
  if (!(norm <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::quiet_NaN();
  double const factor = max_norm / (norm + 1e-6);
  return factor < 1 ? factor : 1;
}

}  // namespace stipple
