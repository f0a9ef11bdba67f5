// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), in PyTorch's form.
#pragma once

#include <cmath>
#include <type_traits>

#include <stipple/core/compiled.hpp>
#include <stipple/optim/step.hpp>

namespace stipple {

struct AdamConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< added to the gradient, times the weight
  bool amsgrad = false;     ///< Reddi et al. 2018
};

struct AdamWConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;  ///< shrinks the weights by learning_rate * weight_decay, apart from the gradient
  bool amsgrad = false;
};

/// Adam: m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2,
/// w <- w - learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
struct Adam {
  static constexpr const char* name = "adam";
  AdamConfig config;

  /// Updates all weights from the gradients, clipped first if `max_norm` says so; moments and step count are kept in
  /// the model. Returns the gradient's norm if there is a `max_norm`, else 0. Throws Error on settings out of range,
  /// and where there is a norm that is not finite. On a GPU nothing waits: that is found out by who reads the norm, and
  /// the step has then left weights, moments and average as they were. `runner` is for who does the device's part of
  /// the step with something else, such as the backward pass.
  template <Real T, Device D>
  LateNumber step(ModelState<T, D>& model, const StepOptions& options = {},
                  const std::type_identity_t<UpdateRunner<T, D>>& runner = {}) const;
};

/// Adam with weight decay apart from the gradient.
struct AdamW {
  static constexpr const char* name = "adamw";
  AdamWConfig config;

  /// See Adam::step.
  template <Real T, Device D>
  LateNumber step(ModelState<T, D>& model, const StepOptions& options = {},
                  const std::type_identity_t<UpdateRunner<T, D>>& runner = {}) const;
};

}  // namespace stipple

#if STIPPLE_DEFINES(optim)

namespace stipple {

namespace detail {

// `l2` is added to the gradient times the weight, `shrink` times the learning rate taken off the weight.
template <Real T, Device D, class Config>
LateNumber adam_step(ModelState<T, D>& model, const char* name, const Config& config, double l2, double shrink,
                     const StepOptions& options, const UpdateRunner<T, D>& runner) {
  using C = accumulate_t<T>;
  double const rate = config.learning_rate * options.learning_rate_factor;
  check_setting(name, "learning_rate", rate);
  check_setting(name, "beta1", config.beta1, 1);
  check_setting(name, "beta2", config.beta2, 1);
  check_setting(name, "epsilon", config.epsilon);
  check_setting(name, "weight_decay", config.weight_decay);
  return optimizer_step(
      model, config.amsgrad ? "adam_amsgrad" : "adam", config.amsgrad ? 3 : 2, options, runner,
      [&](double t, double average_rate) {
        AdamUpdate<C> update;
        update.l2 = static_cast<C>(l2);
        update.keep = static_cast<C>(1 - rate * shrink);
        update.rate1 = static_cast<C>(1 - config.beta1);
        update.beta2 = static_cast<C>(config.beta2);
        update.rate2 = static_cast<C>(1 - config.beta2);
        update.root_scale = static_cast<C>(1 / std::sqrt(1 - std::pow(config.beta2, t)));
        update.epsilon = static_cast<C>(config.epsilon);
        update.step_size = static_cast<C>(rate / (1 - std::pow(config.beta1, t)));
        update.average_rate = static_cast<C>(average_rate);
        return update;
      },
      [](auto settings, const OptimizerArrays<C, D>& arrays, Index n) {
        using cpu::adam_update;
        adam_update(settings, arrays, n);
      });
}

}  // namespace detail

template <Real T, Device D>
LateNumber Adam::step(ModelState<T, D>& model, const StepOptions& options,
                      const std::type_identity_t<UpdateRunner<T, D>>& runner) const {
  return detail::adam_step(model, name, config, config.weight_decay, 0, options, runner);
}

template <Real T, Device D>
LateNumber AdamW::step(ModelState<T, D>& model, const StepOptions& options,
                       const std::type_identity_t<UpdateRunner<T, D>>& runner) const {
  return detail::adam_step(model, name, config, 0, config.weight_decay, options, runner);
}

#define STIPPLE_INSTANCES(T, D)                                                                           \
  template LateNumber Adam::step(ModelState<T, D>&, const StepOptions&, const UpdateRunner<T, D>&) const; \
  template LateNumber AdamW::step(ModelState<T, D>&, const StepOptions&, const UpdateRunner<T, D>&) const;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
