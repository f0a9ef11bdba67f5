// Norm of a model's gradient, and clipping by it.
#pragma once

#include <cmath>

#include <stipple/nn/model.hpp>

namespace stipple {

/// Euclidean norm of all gradients together. Throws Error naming the first parameter whose gradient is not finite.
template <class Net>
double gradient_norm(Model<Net>& model) {
  auto const& gradients = model.gradients();
  double const norm = std::sqrt(cpu::sum_of_squares(gradients.data(), gradients.size()));
  if (!std::isfinite(norm)) {
    auto const name = model.first_non_finite(gradients);
    fail("gradient_norm: the gradient of ", name.empty() ? "the whole model" : "'" + name + "'",
         " is not finite; lower the learning rate or look at the loss");
  }
  return norm;
}

namespace detail {
/// What PyTorch's clip_grad_norm_ multiplies with: 1 when the norm is within bounds.
inline double clip_factor(double norm, double max_norm) {
  require(max_norm > 0, "clip_grad_norm: given max_norm ", max_norm, ", wanted a positive number");
  return std::min(1.0, max_norm / (norm + 1e-6));
}
}  // namespace detail

/// Scales all gradients so that their common norm is at most `max_norm`, and returns the norm they had. An optimiser
/// step with `max_norm` does the same without a pass of its own. Throws Error when a gradient is not finite.
template <class Net>
double clip_grad_norm(Model<Net>& model, double max_norm) {
  using C = typename Model<Net>::master;
  double const norm = gradient_norm(model);
  double const factor = detail::clip_factor(norm, max_norm);
  auto& gradients = model.gradients();
  if (factor < 1) cpu::scale_in_place(gradients.data(), static_cast<C>(factor), gradients.size());
  return norm;
}

}  // namespace stipple
