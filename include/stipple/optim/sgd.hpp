// Stochastic gradient descent with momentum, in PyTorch's form (Sutskever et al. 2013).
#pragma once

#include <type_traits>

#include <stipple/core/compiled.hpp>
#include <stipple/optim/step.hpp>

namespace stipple {

struct SgdConfig {
  double learning_rate = 1e-3;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;  ///< added to the gradient, times the weight
};

/// SGD: m <- momentum m + g, w <- w - learning_rate m; with `nesterov` w <- w - learning_rate (g + momentum m).
struct Sgd {
  static constexpr const char* name = "sgd";
  SgdConfig config;

  /// See Adam::step.
  template <Real T, Device D>
  LateNumber step(ModelState<T, D>& model, const StepOptions& options = {},
                  const std::type_identity_t<UpdateRunner<T, D>>& runner = {}) const;
};

}  // namespace stipple

#if STIPPLE_DEFINES(optim)

namespace stipple {

template <Real T, Device D>
LateNumber Sgd::step(ModelState<T, D>& model, const StepOptions& options,
                     const std::type_identity_t<UpdateRunner<T, D>>& runner) const {
  using C = accumulate_t<T>;
  double const rate = config.learning_rate * options.learning_rate_factor;
  detail::check_setting(name, "learning_rate", rate);
  detail::check_setting(name, "momentum", config.momentum);
  detail::check_setting(name, "weight_decay", config.weight_decay);
  require(!config.nesterov || config.momentum > 0, "sgd: given nesterov without momentum");
  bool const keeps = config.momentum > 0;
  return detail::optimizer_step(
      model, keeps ? "sgd_momentum" : "sgd", keeps ? 1 : 0, options, runner,
      [&](double, double average_rate) {
        SgdUpdate<C> update;
        update.l2 = static_cast<C>(config.weight_decay);
        update.momentum = static_cast<C>(config.momentum);
        update.learning_rate = static_cast<C>(rate);
        update.nesterov = config.nesterov;
        update.average_rate = static_cast<C>(average_rate);
        return update;
      },
      [](auto settings, const OptimizerArrays<C, D>& arrays, Index n) {
        using cpu::sgd_update;
        sgd_update(settings, arrays, n);
      });
}

#define STIPPLE_INSTANCES(T, D) \
  template LateNumber Sgd::step(ModelState<T, D>&, const StepOptions&, const UpdateRunner<T, D>&) const;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
