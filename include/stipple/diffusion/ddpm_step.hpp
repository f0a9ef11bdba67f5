// Whole training steps of Ddpm, on a GPU as a CUDA graph.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include <stipple/autograd/recorded_call.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/optim/step.hpp>

namespace stipple {

/// Training steps of `net` with the objective `ddpm`. `Conditions` are tensors, such as labels.
///
///     DdpmStep step(net, ddpm);
///     auto const loss = step(images, rng);
///     loss.update(adam, {.max_norm = 1});
///
/// On the CPU this is ddpm.loss, backward and adam.step. On a GPU noising, forward and backward pass, clipping, update
/// and moving average are recorded and replayed as one graph (see RecordedCall), for which timesteps, their weights and
/// the settings of the optimiser are put into the memory that it reads. The Trainer updates in the same way.
///
/// A step is recorded for one kind of update, that of the last call that had another: other arenas or limits of the
/// norm are recorded anew. Ordinary ones are steps that do not start from zero gradients, those whose loss is read
/// before the update, and all where a Training has another Rng than the step is given. The model must stay where it is.
template <class Net, class... Conditions>
class DdpmStep {
 public:
  using T = typename Model<Net>::element;
  using D = typename Model<Net>::device;
  using Full = accumulate_t<T>;
  using Update = OptimizerUpdate<T, D>;
  class Loss;

  DdpmStep(Model<Net>& net, Ddpm ddpm) : net_(net), ddpm_(std::move(ddpm)) {}
  DdpmStep(const DdpmStep&) = delete;
  DdpmStep& operator=(const DdpmStep&) = delete;

  /// The loss on data `x0`, with timesteps and noise from `rng`. Nothing is computed or drawn before it is asked for
  /// something; until then the step, `rng` and the elements of `x0` and the conditions must stay.
  [[nodiscard]] Loss operator()(const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions) {
    return Loss(*this, x0, rng, conditions...);
  }

  /// True if steps are replayed.
  bool recorded() const requires std::same_as<D, Cuda> { return call_ && call_->recorded(); }
  /// Why steps cannot be recorded; empty as long as nothing speaks against it.
  std::string why_not() const requires std::same_as<D, Cuda> { return call_ ? call_->why_not() : std::string(); }

 private:
  using Call = RecordedCall<Tensor<Full, D>, Tensor<float, D>, Tensor<float, D>, Conditions...>;
  struct NoCall {};

  // Loss and gradients, and the update if there is one.
  Tensor<Full, D> compute(const Update* update, Rng& rng, const Tensor<float, D>& x0, const Conditions&... conditions) {
    auto const timesteps = to<D>(ddpm_.draw_timesteps(Ddpm::samples_of(x0.shape()), rng));
    auto const f = [&](const Tensor<float, D>& x0_in, const Tensor<float, D>& timesteps_in,
                       const Conditions&... conditions_in) {
      auto const loss = ddpm_.loss(net_, ddpm_.template noised<T>(x0_in, timesteps_in, rng), conditions_in...);
      loss.backward();
      (void)net_.gradients();  // zeros for parameters that got none
      if (update != nullptr) update->run();
      return loss.value();
    };
    if constexpr (std::same_as<D, Cuda>) {
      if (is_recordable(update, rng)) {
        auto const loss = call_->drawing_from(
            &rng,
            [&](auto const&... inputs) {
              net_.zero_grad();  // of a recording that failed
              return f(inputs...);
            },
            x0, timesteps, conditions...);
        net_.take_gradients();
        return loss.clone();
      }
    }
    return f(x0, timesteps, conditions...);
  }

  // True if the recording is of such steps, or becomes so.
  bool is_recordable(const Update* update, const Rng& rng) {
    if (!net_.gradients_are_fresh() || (is_training() && autograd::training_rng() != &rng)) return false;
    if (update == nullptr && updated_) return false;
    if (!call_ || (update != nullptr && updated_ != update->places)) call_.emplace();
    if (update != nullptr) updated_ = update->places;
    return true;
  }

  Model<Net>& net_;
  Ddpm ddpm_;
  std::conditional_t<std::same_as<D, Cuda>, std::optional<Call>, NoCall> call_;
  std::optional<UpdatePlaces<Full, D>> updated_;  // by the recording; none if it is without an update
};

template <class Net>
DdpmStep(Model<Net>&, Ddpm) -> DdpmStep<Net>;

/// A loss that a DdpmStep computes when it is asked for; copies share it.
template <class Net, class... Conditions>
class DdpmStep<Net, Conditions...>::Loss {
 public:
  /// Adds the gradients to those of the model; a second time it does nothing.
  void backward() const { (void)value(); }
  /// The same, and then `update`, with which a Trainer hands on its optimiser's.
  void backward(const Update& update) const {
    if (state_->value.defined())
      update.run();
    else
      compute(&update);
  }
  /// A step of `optimizer` with the gradients of this loss and those that were there; see Adam::step.
  template <class Optimizer>
  LateNumber update(const Optimizer& optimizer, const StepOptions& options = {}) const {
    return optimizer.step(state_->step.net_, options, [this](const Update& update) { backward(update); });
  }

  /// One number, with gradients.
  const Tensor<Full, D>& value() const {
    if (!state_->value.defined()) compute(nullptr);
    return state_->value;
  }
  /// Waits for the device.
  Full item() const { return value().item(); }

 private:
  friend class DdpmStep;
  struct State {
    DdpmStep& step;
    Rng& rng;
    std::tuple<Tensor<float, D>, Conditions...> inputs;
    Tensor<Full, D> value;
  };

  Loss(DdpmStep& step, const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions)
      : state_(std::make_shared<State>(State{step, rng, {x0, conditions...}, {}})) {}

  void compute(const Update* update) const {
    state_->value = std::apply(
        [&](auto const&... inputs) { return state_->step.compute(update, state_->rng, inputs...); }, state_->inputs);
    state_->inputs = {};
  }

  std::shared_ptr<State> state_;
};

}  // namespace stipple
