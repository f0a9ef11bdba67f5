// What the steps of all optimisers have in common.
#pragma once

#include <limits>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/optim/clip.hpp>
#include <stipple/tensor/late_number.hpp>

namespace stipple {

/// Options of one optimiser step.
struct StepOptions {
  double learning_rate_factor = 1;  ///< from a schedule
  /// Gradients are scaled down to this norm, as by `clip_grad_norm`.
  double max_norm = std::numeric_limits<double>::infinity();
};

}  // namespace stipple

#if STIPPLE_DEFINES(optim)

#include <stipple/backend/cpu/optimizer.hpp>

namespace stipple {

namespace detail {

/// The norm of the gradient that clip_norm found. On the CPU it is checked at once, on a GPU when somebody asks for it:
/// the gradients may be those of later steps then.
template <Real T, Device D>
LateNumber checked_norm(ModelState<T, D>& model, const Tensor<double, D>& clipped) {
  auto const norm = late_item(clipped.view(0, {1}));
  if constexpr (std::same_as<D, Cpu>) {
    require_finite_norm(model, norm);
    return norm;
  } else {
    return LateNumber([norm] {
      require(std::isfinite(norm.value()),
              "gradient_norm: the gradient is not finite, so the step changed nothing; lower the learning rate or look "
              "at the loss");
      return norm.value();
    });
  }
}

/// One step of optimiser `kind`: `apply(arrays, n, state, average_rate)` updates the arenas. The step leaves the
/// gradients used up. Returns the norm of the gradient if it was asked for by `max_norm`, 0 otherwise.
template <Real T, Device D, class Apply>
LateNumber optimizer_step(ModelState<T, D>& model, const std::string& kind, std::size_t moments,
                          const StepOptions& options, const Apply& apply) {
  OptimizerArrays<accumulate_t<T>, D> arrays;
  LateNumber norm = 0;
  Tensor<double, D> clipped;  // the norm, and what the gradients are multiplied with
  if (options.max_norm != std::numeric_limits<double>::infinity()) {
    check_max_norm(options.max_norm);
    clipped = Tensor<double, D>({2});
    using cpu::clip_norm;
    clip_norm(std::as_const(model.gradients()).data(), model.gradients().size(), options.max_norm, clipped.data());
    norm = checked_norm(model, clipped);
    arrays.gradient_scale = std::as_const(clipped).data() + 1;
  }
  auto& state = model.optimizer_state(kind, moments);
  for (std::size_t i = 0; i < moments; ++i) arrays.moments[i] = state.moments[i].data();
  arrays.weights = model.weights().data();
  arrays.gradients = std::as_const(model.gradients()).data();
  if constexpr (ModelState<T, D>::has_working) arrays.working = model.working_weights().data();
  double average_rate = 0;
  if (model.has_ema()) {
    auto& average = model.ema_state();
    arrays.average = average.weights.data();
    average_rate = 1 - average.settings.decay_at(average.updates++);
  }
  ++state.steps;
  apply(arrays, model.weights().size(), state, average_rate);
  model.zero_grad();
  return norm;
}

/// Throws Error unless low <= value, and value < high where there is a bound.
inline void check_setting(const char* optimizer, const char* name, double value,
                          double high = std::numeric_limits<double>::infinity()) {
  require(value >= 0 && value < high, optimizer, ": given ", name, " ", value, ", wanted 0 <= ", name,
          high < std::numeric_limits<double>::infinity() ? " < 1" : "");
}

}  // namespace detail

}  // namespace stipple

#endif
