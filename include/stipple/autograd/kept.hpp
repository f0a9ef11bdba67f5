// What gradient rules keep of their operands.
#pragma once

#include <functional>
#include <utility>

#include <stipple/autograd/var.hpp>

namespace stipple::autograd {

/// An operand as a rule keeps it: its value or, where the operation that computed it can soon do that again, nothing.
template <Real T, Device D>
class Kept {
 public:
  explicit Kept(const Var<T, D>& x)
      : maker_(x.requires_grad() && x.sink()->again ? x.sink().get() : nullptr),
        value_(maker_ == nullptr ? x.value() : Tensor<T, D>()) {}

  /// To be called by the rule alone, of which `x` was an input.
  Tensor<T, D> value() const {
    if (maker_ == nullptr) return value_;
    require(static_cast<bool>(maker_->again), "backward: the tape of this value was used up by an earlier backward");
    return maker_->again();
  }

 private:
  const Sink<T, D>* maker_;  // the node of the rule keeps it alive
  Tensor<T, D> value_;
};

/// `y`, the result of `record`, of which rules keep nothing on the CPU: they call `again()`, which returns the value.
/// For operations that cost little beside those that read their results, and need nothing larger than these.
template <Real T, Device D, class Again>
Var<T, D> made_again_by(Var<T, D> y, Again again) {
  if constexpr (std::same_as<D, Cpu>)
    if (y.sink() != nullptr) y.sink()->again = std::move(again);
  return y;
}

}  // namespace stipple::autograd
