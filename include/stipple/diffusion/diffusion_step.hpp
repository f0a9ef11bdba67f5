// Whole training steps of a diffusion model, on a GPU as a CUDA graph.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <stipple/autograd/recorded_call.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/step.hpp>

namespace stipple {

/// A loss that is computed when it is asked for; copies share it.
template <Real T, Device D>
class DeferredLoss {
 public:
  using Value = Tensor<accumulate_t<T>, D>;
  using Update = OptimizerUpdate<T, D>;

  /// `compute(update)` returns the loss, adds its gradients to those of `model` and runs the update unless it is null.
  DeferredLoss(ModelState<T, D>& model, std::function<Value(const Update*)> compute)
      : state_(std::make_shared<State>(State{model, std::move(compute), {}})) {}

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
    return optimizer.step(state_->model, options, [this](const Update& update) { backward(update); });
  }

  /// One number, with gradients.
  const Value& value() const {
    if (!state_->value.defined()) compute(nullptr);
    return state_->value;
  }
  /// Waits for the device.
  accumulate_t<T> item() const { return value().item(); }

 private:
  struct State {
    ModelState<T, D>& model;
    std::function<Value(const Update*)> compute;
    Value value;
  };

  void compute(const Update* update) const {
    state_->value = state_->compute(update);
    state_->compute = nullptr;  // with the tensors that it holds
  }

  std::shared_ptr<State> state_;
};

/// Training steps of `net` with an objective: Ddpm, Edm, FlowMatching, or what else has `draw_timesteps`, `noised` and
/// `loss`. `Conditions` are tensors, such as labels.
///
///     DiffusionStep step(net, ddpm);
///     auto const loss = step(images, rng);
///     loss.update(adam, {.max_norm = 1});
///
/// On the CPU this is objective.loss, backward and adam.step. On a GPU noising, forward and backward pass, clipping,
/// update and moving average are recorded and replayed as one graph (see RecordedCall), for which timesteps, their
/// weights and the settings of the optimiser are put into the memory that it reads. The Trainer updates in the same
/// way.
///
/// A step is recorded for one kind of update, that of the last call that had another: other arenas or limits of the
/// norm are recorded anew. Ordinary ones are steps that do not start from zero gradients, those whose loss is read
/// before the update, and all where a Training has another Rng than the step is given. The model must stay where it is.
template <class Net, class Objective, class... Conditions>
class DiffusionStep {
 public:
  using T = typename Model<Net>::element;
  using D = typename Model<Net>::device;
  using Full = accumulate_t<T>;
  using Update = OptimizerUpdate<T, D>;

  DiffusionStep(Model<Net>& net, Objective objective) : net_(net), objective_(std::move(objective)) {}
  DiffusionStep(const DiffusionStep&) = delete;
  DiffusionStep& operator=(const DiffusionStep&) = delete;

  /// The loss on data `x0`, with timesteps and noise from `rng`. Nothing is computed or drawn before it is asked for
  /// something; until then the step, `rng` and the elements of `x0` and the conditions must stay.
  [[nodiscard]] DeferredLoss<T, D> operator()(const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions) {
    return {net_,
            [this, &rng, x0, conditions...](const Update* update) { return compute(update, rng, x0, conditions...); }};
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
    auto const timesteps = to<D>(objective_.draw_timesteps(Objective::samples_of(x0.shape()), rng));
    auto const f = [&](const Tensor<float, D>& x0_in, const Tensor<float, D>& timesteps_in,
                       const Conditions&... conditions_in) {
      auto const loss =
          objective_.loss(net_, objective_.template noised<T>(x0_in, timesteps_in, rng), conditions_in...);
      loss.backward();
      if constexpr (std::same_as<D, Cuda>) (void)net_.gradients();  // zeros for parameters that got none
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
  Objective objective_;
  std::conditional_t<std::same_as<D, Cuda>, std::optional<Call>, NoCall> call_;
  std::optional<UpdatePlaces<Full, D>> updated_;  // by the recording; none if it is without an update
};

template <class Net, class Objective>
DiffusionStep(Model<Net>&, Objective) -> DiffusionStep<Net, Objective>;

}  // namespace stipple
