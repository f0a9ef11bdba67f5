// What a TrainerCore is handed by a Trainer: losses and an optimiser as functions that name no network.
#pragma once

#include <functional>

#include <stipple/core/compiled.hpp>
#include <stipple/io/json.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>

namespace stipple::detail {

/// One number of which a training step takes the gradient.
template <Real T, Device D>
struct LossValue {
  std::function<LateNumber()> value;
  std::function<void()> backward;
  UpdateRunner<T, D> backward_and_update;
};
/// Of a Var, or of anything else with `value`, a tensor, and `backward`.
template <Real T, Device D, class Loss>
LossValue<T, D> loss_value(const Loss& loss) {
  return {[loss] { return late_item(loss.value()); }, [loss] { loss.backward(); },
          [loss](const OptimizerUpdate<T, D>& update) {
            if constexpr (requires { loss.backward(update); }) {
              loss.backward(update);
            } else {
              loss.backward();
              update.run();
            }
          }};
}

/// An optimiser bound to its model.
template <Real T, Device D>
struct BoundOptimizer {
  std::function<LateNumber(const StepOptions&, const UpdateRunner<T, D>&)> step;
  double learning_rate = 0;
  Json configuration;
};

template <class Optimizer>
Json optimizer_configuration(const Optimizer& optimizer) {
  auto const& c = optimizer.config;
  Json json = Json::object({{"name", Optimizer::name}, {"learning_rate", c.learning_rate}});
  if constexpr (requires { c.weight_decay; }) json["weight_decay"] = c.weight_decay;
  if constexpr (requires { c.amsgrad; }) {
    json["betas"] = Json::array({c.beta1, c.beta2});
    json["epsilon"] = c.epsilon;
    json["amsgrad"] = c.amsgrad;
  }
  if constexpr (requires { c.nesterov; }) {
    json["momentum"] = c.momentum;
    json["nesterov"] = c.nesterov;
  }
  return json;
}

}  // namespace stipple::detail

#if STIPPLE_DEFINES_IO(train)

namespace stipple::detail {
STIPPLE_INSTANTIATE_CPU(template Json optimizer_configuration(const Adam&);
                        template Json optimizer_configuration(const AdamW&);
                        template Json optimizer_configuration(const Sgd&);)
}  // namespace stipple::detail

#else

namespace stipple::detail {
extern template Json optimizer_configuration(const Adam&);
extern template Json optimizer_configuration(const AdamW&);
extern template Json optimizer_configuration(const Sgd&);
}  // namespace stipple::detail

#endif
