// Gradients of elementwise arithmetic and of conversion.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>

namespace stipple {

/// a + b with `b` broadcast over `a` (see ops::broadcast_plan).
template <Real T, Real U, Device D>
Var<T, D> operator+(const Var<T, D>& a, const Var<U, D>& b);

/// a - b with `b` broadcast over `a`.
template <Real T, Real U, Device D>
Var<T, D> operator-(const Var<T, D>& a, const Var<U, D>& b);

/// a * b, elementwise, with `b` broadcast over `a`.
template <Real T, Real U, Device D>
Var<T, D> operator*(const Var<T, D>& a, const Var<U, D>& b);

/// scale * x + shift with two numbers.
template <Real T, Device D>
Var<T, D> affine(const Var<T, D>& x, double scale, double shift = 0);
template <Real T, Device D>
Var<T, D> operator*(double scale, const Var<T, D>& x);

/// The same values as another element type; the gradient is converted back.
template <Real T, Real U, Device D>
Var<T, D> cast(const Var<U, D>& x);

/// The same elements under another shape of the same size.
template <Real T, Device D>
Var<T, D> reshape(const Var<T, D>& x, const Shape& shape);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Real U, Device D>
Var<T, D> operator+(const Var<T, D>& a, const Var<U, D>& b) {
  return record(
      ops::add(a.value(), b.value()), std::tie(a, b),
      [shape = b.shape(), same = a.shape() == b.shape(), needs_b = b.requires_grad()](const Tensor<T, D>& dy) {
        if constexpr (std::same_as<T, U>) {
          if (same) return std::tuple(dy, dy);
        }
        return std::tuple(dy, needs_b ? ops::sum_to<U>(dy, Tensor<T, D>(), shape) : Tensor<U, D>());
      });
}

template <Real T, Real U, Device D>
Var<T, D> operator-(const Var<T, D>& a, const Var<U, D>& b) {
  return record(ops::subtract(a.value(), b.value()), std::tie(a, b),
                [shape = b.shape(), needs_b = b.requires_grad()](const Tensor<T, D>& dy) {
                  return std::tuple(
                      dy, needs_b ? ops::affine(ops::sum_to<U>(dy, Tensor<T, D>(), shape), -1) : Tensor<U, D>());
                });
}

template <Real T, Real U, Device D>
Var<T, D> operator*(const Var<T, D>& a, const Var<U, D>& b) {
  return record(
      ops::multiply(a.value(), b.value()), std::tie(a, b),
      [x = a.value(), y = b.value(), needs_a = a.requires_grad(), needs_b = b.requires_grad()](const Tensor<T, D>& dy) {
        return std::tuple(needs_a ? ops::multiply(dy, y) : Tensor<T, D>(),
                          needs_b ? ops::sum_to<U>(dy, x, y.shape()) : Tensor<U, D>());
      });
}

template <Real T, Device D>
Var<T, D> affine(const Var<T, D>& x, double scale, double shift) {
  return record(ops::affine(x.value(), scale, shift), std::tie(x),
                [scale](const Tensor<T, D>& dy) { return std::tuple(ops::affine(dy, scale)); });
}

template <Real T, Device D>
Var<T, D> operator*(double scale, const Var<T, D>& x) {
  return affine(x, scale);
}

template <Real T, Real U, Device D>
Var<T, D> cast(const Var<U, D>& x) {
  if constexpr (std::same_as<T, U>)
    return x;
  else
    return record(ops::cast<T>(x.value()), std::tie(x),
                  [](const Tensor<T, D>& dy) { return std::tuple(ops::cast<U>(dy)); });
}

template <Real T, Device D>
Var<T, D> reshape(const Var<T, D>& x, const Shape& shape) {
  return record(x.value().reshape(shape), std::tie(x),
                [from = x.shape()](const Tensor<T, D>& dy) { return std::tuple(dy.reshape(from)); });
}

#define STIPPLE_INSTANCES(T, U, D)                                           \
  template Var<T, D> operator+<T, U, D>(const Var<T, D>&, const Var<U, D>&); \
  template Var<T, D> operator-<T, U, D>(const Var<T, D>&, const Var<U, D>&); \
  template Var<T, D> operator*<T, U, D>(const Var<T, D>&, const Var<U, D>&);
STIPPLE_FOR_EACH_PAIR(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T, D)                                      \
  template Var<T, D> affine<T, D>(const Var<T, D>&, double, double); \
  template Var<T, D> operator*<T, D>(double, const Var<T, D>&);      \
  template Var<T, D> reshape<T, D>(const Var<T, D>&, const Shape&);  \
  template Var<T, D> cast<T, float, D>(const Var<float, D>&);        \
  template Var<T, D> cast<T, bf16, D>(const Var<bf16, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
STIPPLE_INSTANTIATE_CPU(template Var<float> cast(const Var<double>&); template Var<bf16> cast(const Var<double>&);
                        template Var<double> cast(const Var<double>&);)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
