// Gradient of softmax.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/softmax.hpp>

namespace stipple {

/// e^x / sum of e^x over the last axis.
template <Real T, Device D>
Var<T, D> softmax(const Var<T, D>& x);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> softmax(const Var<T, D>& x) {
  auto const y = ops::softmax(x.value());
  return record(y, std::tie(x), [y](const Tensor<T, D>& dy) { return std::tuple(ops::softmax_backward(dy, y)); });
}

#define STIPPLE_INSTANCES(T, D) template Var<T, D> softmax<T, D>(const Var<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
