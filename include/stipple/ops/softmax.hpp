// Softmax over the last axis.
#pragma once

#include <stipple/backend/cpu/softmax.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// e^x / sum of e^x over the last axis, computed from x - max(x).
template <Real T, Device D>
Tensor<T, D> softmax(const Tensor<T, D>& x) {
  require(x.defined() && x.rank() >= 1 && x.dim(-1) >= 1, "softmax: given shape ", x.shape(),
          ", wanted (..., C) with at least one channel");
  Tensor<T, D> y(x.shape());
  cpu::softmax(x.data(), y.data(), x.size() / x.dim(-1), x.dim(-1));
  return y;
}

/// Gradient of the input from the result y: y (dy - sum of dy y).
template <Real T, Device D>
Tensor<T, D> softmax_backward(const Tensor<T, D>& dy, const Tensor<T, D>& y) {
  require(y.defined() && y.rank() >= 1 && y.dim(-1) >= 1, "softmax backward: given a result of shape ", y.shape(),
          ", wanted (..., C) with at least one channel");
  require(dy.shape() == y.shape(), "softmax backward: given a gradient of shape ", dy.shape(), ", wanted ", y.shape());
  Tensor<T, D> dx(y.shape());
  cpu::softmax_backward(dy.data(), y.data(), dx.data(), y.size() / y.dim(-1), y.dim(-1));
  return dx;
}

}  // namespace stipple::ops
