// Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): less memory in training for more time.
#pragma once

#include <optional>
#include <tuple>
#include <utility>

#include <stipple/autograd/mode.hpp>
#include <stipple/autograd/var.hpp>

namespace stipple {

namespace autograd {

/// What a checkpoint keeps of an input.
template <Real T, Device D>
struct CheckpointInput {
  Tensor<T, D> value;
  bool needs_gradient;

  /// The input as a value of a new tape, which keeps its gradient as intermediate values do.
  Var<T, D> variable() const { return Var<T, D>(value, needs_gradient ? std::make_shared<Sink<T, D>>() : nullptr); }
};

/// While one lives, this thread records and trains as it did where the Rng of its Training was copied.
class Recomputing {
 public:
  explicit Recomputing(const std::optional<Rng>& training)
      : training_(training),
        rng_before_(std::exchange(training_rng(), training_ ? &*training_ : nullptr)),
        recording_before_(std::exchange(recording_flag(), true)),
        recomputing_before_(std::exchange(recomputing_flag(), true)) {}
  Recomputing(const Recomputing&) = delete;
  Recomputing& operator=(const Recomputing&) = delete;
  ~Recomputing() {
    training_rng() = rng_before_;
    recording_flag() = recording_before_;
    recomputing_flag() = recomputing_before_;
  }

 private:
  std::optional<Rng> training_;
  Rng* rng_before_;
  bool recording_before_, recomputing_before_;
};

}  // namespace autograd

/// f(inputs...), of which only the inputs are kept: backward calls `f` again to have the rest. Worth it around blocks
/// whose inner activations are large:
///
///     h = checkpoint([this](auto const& x, auto const& e) { return block(x, e); }, h, e);
///
/// `f` takes and returns Vars, is kept until backward, and has to do the same both times. Parameters that it reads get
/// their gradients; other values must come in as inputs to get theirs. Dropout draws the same masks again, and the
/// running statistics of batch norm move once.
template <class F, Real... T, Device D>
auto checkpoint(F f, const Var<T, D>&... inputs) {
  if (!autograd::recording_flag()) return f(inputs...);
  auto const training = is_training() ? std::optional<Rng>(*autograd::training_rng()) : std::nullopt;
  auto kept = std::tuple(autograd::CheckpointInput<T, D>{inputs.value(), inputs.sink() != nullptr}...);
  auto const without_tape = [&] {
    NoGrad const no_grad;
    return f(Var<T, D>(inputs.value())...);
  };
  auto const with_node = [&]<Real U>(Var<U, D> output) {
    auto rule = [f = std::move(f), training, kept = std::move(kept)](const Tensor<U, D>& dy) {
      auto const again = std::apply([](const auto&... input) { return std::tuple(input.variable()...); }, kept);
      autograd::Recomputing const recomputing(training);
      Var<U, D> const result = std::apply(f, again);
      if (result.requires_grad()) result.backward(dy);
      return std::apply(
          [](const auto&... input) { return std::tuple((input.sink() ? input.sink()->gradient : Tensor<T, D>())...); },
          again);
    };
    using Node = autograd::Recorded<U, D, decltype(rule), T...>;
    return Var<U, D>(
        output.value(),
        std::make_shared<Node>(std::move(rule), std::vector<std::shared_ptr<autograd::Node>>{inputs.sink()...}));
  };
  return with_node(without_tape());
}

}  // namespace stipple
