// Elementwise activations.
#pragma once

#include <stipple/core/activation.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// f(x), elementwise; see `Activation` for the formulas.
template <Real T, Device D>
Tensor<T, D> activate(const Tensor<T, D>& x, Activation kind);

/// Gradient of the input: dy f'(x).
template <Real T, Device D>
Tensor<T, D> activate_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x, Activation kind);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/activation.hpp>

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> activate(const Tensor<T, D>& x, Activation kind) {
  require(x.defined(), to_text(kind), ": given an empty tensor");
  Tensor<T, D> y(x.shape());
  using cpu::activate;
  activate(kind, x.data(), y.data(), x.size());
  return y;
}

template <Real T, Device D>
Tensor<T, D> activate_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x, Activation kind) {
  require(x.defined() && dy.defined(), to_text(kind), " backward: given an empty tensor");
  require(dy.shape() == x.shape(), to_text(kind), " backward: given a gradient of shape ", dy.shape(), ", wanted ",
          x.shape());
  Tensor<T, D> dx(x.shape());
  using cpu::activate_backward;
  activate_backward(kind, dy.data(), x.data(), dx.data(), x.size());
  return dx;
}

#define STIPPLE_INSTANCES(T, D)                                          \
  template Tensor<T, D> activate<T, D>(const Tensor<T, D>&, Activation); \
  template Tensor<T, D> activate_backward<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, Activation);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
