// Gradients of the activations.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/activation.hpp>

namespace stipple {

/// f(x), elementwise; see `Activation` for the formulas.
template <Real T, Device D>
Var<T, D> activate(const Var<T, D>& x, Activation kind);

template <Real T, Device D>
Var<T, D> relu(const Var<T, D>& x);
template <Real T, Device D>
Var<T, D> relu6(const Var<T, D>& x);
template <Real T, Device D>
Var<T, D> silu(const Var<T, D>& x);
/// The exact form; `gelu_tanh` is the approximation.
template <Real T, Device D>
Var<T, D> gelu(const Var<T, D>& x);
template <Real T, Device D>
Var<T, D> gelu_tanh(const Var<T, D>& x);
template <Real T, Device D>
Var<T, D> mish(const Var<T, D>& x);
template <Real T, Device D>
Var<T, D> sigmoid(const Var<T, D>& x);
template <Real T, Device D>
Var<T, D> tanh(const Var<T, D>& x);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> activate(const Var<T, D>& x, Activation kind) {
  if (kind == Activation::none) return x;
  return record(ops::activate(x.value(), kind), std::tie(x), [kept = autograd::Kept(x), kind](const Tensor<T, D>& dy) {
    return std::tuple(ops::activate_backward(dy, kept.value(), kind));
  });
}

template <Real T, Device D>
Var<T, D> relu(const Var<T, D>& x) {
  return activate(x, Activation::relu);
}

template <Real T, Device D>
Var<T, D> relu6(const Var<T, D>& x) {
  return activate(x, Activation::relu6);
}

template <Real T, Device D>
Var<T, D> silu(const Var<T, D>& x) {
  return activate(x, Activation::silu);
}

template <Real T, Device D>
Var<T, D> gelu(const Var<T, D>& x) {
  return activate(x, Activation::gelu);
}

template <Real T, Device D>
Var<T, D> gelu_tanh(const Var<T, D>& x) {
  return activate(x, Activation::gelu_tanh);
}

template <Real T, Device D>
Var<T, D> mish(const Var<T, D>& x) {
  return activate(x, Activation::mish);
}

template <Real T, Device D>
Var<T, D> sigmoid(const Var<T, D>& x) {
  return activate(x, Activation::sigmoid);
}

template <Real T, Device D>
Var<T, D> tanh(const Var<T, D>& x) {
  return activate(x, Activation::tanh);
}

#define STIPPLE_INSTANCES(T, D)                                    \
  template Var<T, D> activate<T, D>(const Var<T, D>&, Activation); \
  template Var<T, D> relu<T, D>(const Var<T, D>&);                 \
  template Var<T, D> relu6<T, D>(const Var<T, D>&);                \
  template Var<T, D> silu<T, D>(const Var<T, D>&);                 \
  template Var<T, D> gelu<T, D>(const Var<T, D>&);                 \
  template Var<T, D> gelu_tanh<T, D>(const Var<T, D>&);            \
  template Var<T, D> mish<T, D>(const Var<T, D>&);                 \
  template Var<T, D> sigmoid<T, D>(const Var<T, D>&);              \
  template Var<T, D> tanh<T, D>(const Var<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
