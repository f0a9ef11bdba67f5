// Softmax over the last axis.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// e^x / sum of e^x over the last axis, computed from x - max(x).
template <Real T, Device D>
Tensor<T, D> softmax(const Tensor<T, D>& x);

/// Gradient of the input from the result y: y (dy - sum of dy y).
template <Real T, Device D>
Tensor<T, D> softmax_backward(const Tensor<T, D>& dy, const Tensor<T, D>& y);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/softmax.hpp>

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> softmax(const Tensor<T, D>& x) {
  require(x.defined() && x.rank() >= 1 && x.dim(-1) >= 1, "softmax: given shape ", x.shape(),
          ", wanted (..., C) with at least one channel");
  Tensor<T, D> y(x.shape());
  using cpu::softmax;
  softmax(x.data(), y.data(), x.size() / x.dim(-1), x.dim(-1));
  return y;
}

template <Real T, Device D>
Tensor<T, D> softmax_backward(const Tensor<T, D>& dy, const Tensor<T, D>& y) {
  require(y.defined() && y.rank() >= 1 && y.dim(-1) >= 1, "softmax backward: given a result of shape ", y.shape(),
          ", wanted (..., C) with at least one channel");
  require(dy.shape() == y.shape(), "softmax backward: given a gradient of shape ", dy.shape(), ", wanted ", y.shape());
  Tensor<T, D> dx(y.shape());
  using cpu::softmax_backward;
  softmax_backward(dy.data(), y.data(), dx.data(), y.size() / y.dim(-1), y.dim(-1));
  return dx;
}

#define STIPPLE_INSTANCES(T, D)                             \
  template Tensor<T, D> softmax<T, D>(const Tensor<T, D>&); \
  template Tensor<T, D> softmax_backward<T, D>(const Tensor<T, D>&, const Tensor<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
