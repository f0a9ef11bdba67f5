// Norm of a model's gradient, and clipping by it.
#pragma once

#include <cmath>

#include <stipple/core/compiled.hpp>
#include <stipple/nn/model_state.hpp>

namespace stipple {

/// Euclidean norm of all gradients together. Waits for the device. Throws Error naming the first parameter whose
/// gradient is not finite.
template <Real T, Device D>
double gradient_norm(ModelState<T, D>& model);

namespace detail {
/// Throws Error unless `max_norm` is positive.
STIPPLE_INLINE void check_max_norm(double max_norm);
/// Throws Error naming the first parameter whose gradient is not finite if `norm`, that of all, is not.
template <Real T, Device D>
void require_finite_norm(ModelState<T, D>& model, double norm);
}  // namespace detail

/// Scales all gradients so that their common norm is at most `max_norm`, and returns the norm they had. An optimiser
/// step with `max_norm` does the same without a pass of its own, and without waiting for the device, as this does.
/// Throws Error when a gradient is not finite.
template <Real T, Device D>
double clip_grad_norm(ModelState<T, D>& model, double max_norm);

}  // namespace stipple

#if STIPPLE_DEFINES(optim)

#include <stipple/backend/cpu/optimizer.hpp>

namespace stipple {

template <Real T, Device D>
double gradient_norm(ModelState<T, D>& model) {
  auto const& gradients = model.gradients();
  using cpu::sum_of_squares;
  double const norm = std::sqrt(sum_of_squares(gradients.data(), gradients.size()));
  detail::require_finite_norm(model, norm);
  return norm;
}

}  // namespace stipple

namespace stipple::detail {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE void check_max_norm(double max_norm) {
  require(max_norm > 0, "clip_grad_norm: given max_norm ", max_norm, ", wanted a positive number");
}
#endif

template <Real T, Device D>
void require_finite_norm(ModelState<T, D>& model, double norm) {
  if (std::isfinite(norm)) return;
  auto const name = model.first_non_finite(model.gradients());
  fail("gradient_norm: the gradient of ", name.empty() ? "the whole model" : "'" + name + "'",
       " is not finite; lower the learning rate or look at the loss");
}

}  // namespace stipple::detail

namespace stipple {

template <Real T, Device D>
double clip_grad_norm(ModelState<T, D>& model, double max_norm) {
  using C = accumulate_t<T>;
  detail::check_max_norm(max_norm);
  double const norm = gradient_norm(model);
  double const factor = clip_factor(norm, max_norm);
  auto& gradients = model.gradients();
  using cpu::scale_in_place;
  if (factor < 1) scale_in_place(gradients.data(), static_cast<C>(factor), gradients.size());
  return norm;
}

#define STIPPLE_INSTANCES(T, D)                                    \
  template double gradient_norm<T, D>(ModelState<T, D>&);          \
  template double clip_grad_norm<T, D>(ModelState<T, D>&, double); \
  template void detail::require_finite_norm<T, D>(ModelState<T, D>&, double);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
