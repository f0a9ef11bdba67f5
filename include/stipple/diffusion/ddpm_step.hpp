// The loss of Ddpm with its gradients, on a GPU as a CUDA graph.
#pragma once

#include <string>

#include <stipple/autograd/recorded_call.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/nn/model.hpp>

namespace stipple {

/// A loss whose gradients are in the model's arena already.
template <Real L, Device D>
class ComputedLoss {
 public:
  explicit ComputedLoss(Tensor<L, D> value) : value_(std::move(value)) {}
  const Tensor<L, D>& value() const { return value_; }
  /// Waits for the device.
  L item() const { return value_.item(); }
  void backward() const {}

 private:
  Tensor<L, D> value_;
};

/// Forward and backward pass of training steps of `net` with the objective `ddpm`. `Conditions` are tensors, such as
/// labels.
///
///     DdpmStep step(net, ddpm);
///     auto const loss = step(images, rng);
///     adam.step(net);
///
/// On the CPU this is ddpm.loss and backward. On a GPU both are recorded and replayed as one graph (see RecordedCall).
/// Noising, whose weights depend on t, and the optimiser, whose settings change from step to step, stay outside of it:
/// a handful of operations. Needs a step that starts from zero gradients; another one is an ordinary one. The model
/// must stay where it is.
template <class Net, class... Conditions>
class DdpmStep {
 public:
  using T = typename Model<Net>::element;
  using D = typename Model<Net>::device;
  using Full = accumulate_t<T>;

  DdpmStep(Model<Net>& net, Ddpm ddpm) : net_(net), ddpm_(std::move(ddpm)) {}
  DdpmStep(const DdpmStep&) = delete;
  DdpmStep& operator=(const DdpmStep&) = delete;

  /// The loss on data `x0`, with timesteps and noise from `rng`; its gradients are added to those of the model.
  ComputedLoss<Full, D> operator()(const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions) {
    auto const batch = ddpm_.noised<T>(x0, rng);
    if constexpr (std::same_as<D, Cuda>) {
      if (net_.gradients_are_fresh()) {
        Tensor<Full, D> const loss = call_([this](auto const&... inputs) { return compute(inputs...); }, batch.x_t,
                                           batch.t, batch.target, conditions...);
        net_.take_gradients();
        return ComputedLoss<Full, D>(loss.clone());
      }
    }
    return ComputedLoss<Full, D>(compute(batch.x_t, batch.t, batch.target, conditions...));
  }

  /// True if steps are replayed.
  bool recorded() const requires std::same_as<D, Cuda> { return call_.recorded(); }
  /// Why steps cannot be recorded; empty as long as nothing speaks against it.
  const std::string& why_not() const requires std::same_as<D, Cuda> { return call_.why_not(); }

 private:
  Tensor<Full, D> compute(const Tensor<T, D>& x_t, const Tensor<Full, D>& t, const Tensor<Full, D>& target,
                          const Conditions&... conditions) {
    auto const loss = ddpm_.loss(net_, NoisedBatch<T, D>{x_t, t, target}, conditions...);
    loss.backward();
    (void)net_.gradients();  // zeros for parameters that got none
    return loss.value();
  }

  struct NoCall {};
  Model<Net>& net_;
  Ddpm ddpm_;
  std::conditional_t<std::same_as<D, Cuda>,
                     RecordedCall<Tensor<Full, D>, Tensor<T, D>, Tensor<Full, D>, Tensor<Full, D>, Conditions...>,
                     NoCall>
      call_;
};

template <class Net>
DdpmStep(Model<Net>&, Ddpm) -> DdpmStep<Net>;

}  // namespace stipple
