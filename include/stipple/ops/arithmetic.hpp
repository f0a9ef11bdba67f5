// Elementwise sums, differences and products with broadcasting; scaling; conversion of the element type.
#pragma once

#include <stipple/backend/broadcast.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// How `b` repeats over `a`: the same shape; one number per channel (C) or (1, ..., C); one row of channels per sample
/// (N, C) or (N, 1, ..., C) over (N, ..., C); one number per sample (N, 1) or (N, 1, ..., 1) over (N, ..., C); or one
/// number. `name` is the operation in the message of the Error thrown for any other pair.
STIPPLE_INLINE Broadcast broadcast_plan(const char* name, const Shape& a, const Shape& b);

/// a + b, with `b` broadcast as `broadcast_plan` says. The result has the shape and type of `a`.
template <Real T, Real U, Device D>
Tensor<T, D> add(const Tensor<T, D>& a, const Tensor<U, D>& b);
/// a - b.
template <Real T, Real U, Device D>
Tensor<T, D> subtract(const Tensor<T, D>& a, const Tensor<U, D>& b);
/// a * b, elementwise.
template <Real T, Real U, Device D>
Tensor<T, D> multiply(const Tensor<T, D>& a, const Tensor<U, D>& b);
/// a += b without a new tensor.
template <Real T, Real U, Device D>
void add_in_place(Tensor<T, D>& a, const Tensor<U, D>& b);
/// Gradient of a broadcast operand: sums `g` (times `factor`, when defined) down to `shape`. May share storage with
/// `g`.
template <Real U, Real T, Device D>
Tensor<U, D> sum_to(const Tensor<T, D>& g, const Tensor<T, D>& factor, const Shape& shape);
/// scale * a + shift, elementwise with two numbers.
template <Real T, Device D>
Tensor<T, D> affine(const Tensor<T, D>& a, double scale, double shift = 0);
/// The same values as another element type (rounded to nearest even for bf16). Shares storage when T is U.
template <Real T, Real U, Device D>
Tensor<T, D> cast(const Tensor<U, D>& a);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/arithmetic.hpp>

namespace stipple::ops {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Broadcast broadcast_plan(const char* name, const Shape& a, const Shape& b) {
  if (a == b) return {a.size(), 1, 1};
  if (b.size() == 1) return {1, a.size(), 1};
  Index const samples = a.rank() > 0 ? a[0] : 1, channels = a.rank() > 0 ? a[-1] : 1;
  bool ones_between = true;
  for (int i = 1; i + 1 < b.rank(); ++i) ones_between = ones_between && b[i] == 1;
  if (a.rank() >= 2 && b.rank() >= 2 && (b.rank() == 2 || b.rank() == a.rank()) && ones_between) {
    if (b[0] == samples && b[-1] == channels)
      return {samples, a.size() / std::max<Index>(1, samples * channels), channels};
    if (b[0] == samples && b[-1] == 1) return {samples, a.size() / std::max<Index>(1, samples), 1};
    if (b[0] == 1 && b[-1] == channels) return {1, a.size() / std::max<Index>(1, channels), channels};
  }
  if (b.rank() == 1 && b[0] == channels) return {1, a.size() / std::max<Index>(1, channels), channels};
  fail(name, ": given shapes ", a, " and ", b,
       ", wanted equal shapes, or a right operand of one number, (C), (N, C), (N, 1, ..., C) or (N, 1, ..., 1)");
}
#endif

}  // namespace stipple::ops

namespace stipple::ops::detail {

template <Real T, Real U, Device D>
Tensor<T, D> combine(const char* name, Arithmetic kind, const Tensor<T, D>& a, const Tensor<U, D>& b) {
  require(a.defined() && b.defined(), name, ": given an empty tensor");
  auto const plan = broadcast_plan(name, a.shape(), b.shape());
  Tensor<T, D> out(a.shape());
  using cpu::arithmetic;
  arithmetic(kind, a.data(), b.data(), out.data(), plan);
  return out;
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Real U, Device D>
Tensor<T, D> add(const Tensor<T, D>& a, const Tensor<U, D>& b) {
  return detail::combine("add", Arithmetic::add, a, b);
}

template <Real T, Real U, Device D>
Tensor<T, D> subtract(const Tensor<T, D>& a, const Tensor<U, D>& b) {
  return detail::combine("subtract", Arithmetic::subtract, a, b);
}

template <Real T, Real U, Device D>
Tensor<T, D> multiply(const Tensor<T, D>& a, const Tensor<U, D>& b) {
  return detail::combine("multiply", Arithmetic::multiply, a, b);
}

template <Real T, Real U, Device D>
void add_in_place(Tensor<T, D>& a, const Tensor<U, D>& b) {
  require(a.defined() && b.defined(), "add_in_place: given an empty tensor");
  auto const plan = broadcast_plan("add_in_place", a.shape(), b.shape());
  using cpu::arithmetic;
  arithmetic(Arithmetic::add, std::as_const(a).data(), b.data(), a.data(), plan);
}

template <Real U, Real T, Device D>
Tensor<U, D> sum_to(const Tensor<T, D>& g, const Tensor<T, D>& factor, const Shape& shape) {
  require(g.defined(), "sum_to: given an empty tensor");
  require(!factor.defined() || factor.shape() == g.shape(), "sum_to: given a factor of shape ", factor.shape(),
          ", wanted ", g.shape());
  if constexpr (std::same_as<T, U>) {
    if (g.shape() == shape) return factor.defined() ? multiply(g, factor) : g;  // nothing to sum
  }
  auto const plan = broadcast_plan("sum_to", g.shape(), shape);
  Tensor<U, D> out(shape);
  using cpu::sum_broadcast;
  sum_broadcast<T, U>(g.data(), factor.defined() ? factor.data() : nullptr, out.data(), plan);
  return out;
}

template <Real T, Device D>
Tensor<T, D> affine(const Tensor<T, D>& a, double scale, double shift) {
  require(a.defined(), "affine: given an empty tensor");
  Tensor<T, D> out(a.shape());
  using cpu::affine;
  affine(a.data(), static_cast<cpu::compute_t<T>>(scale), static_cast<cpu::compute_t<T>>(shift), out.data(), a.size());
  return out;
}

template <Real T, Real U, Device D>
Tensor<T, D> cast(const Tensor<U, D>& a) {
  require(a.defined(), "cast: given an empty tensor");
  if constexpr (std::same_as<T, U>) {
    return a;
  } else {
    Tensor<T, D> out(a.shape());
    if constexpr ((std::same_as<T, bf16> && std::same_as<U, double>) ||
                  (std::same_as<T, double> && std::same_as<U, bf16>)) {
      return cast<T>(cast<float>(a));
    } else {
      using cpu::cast;
      cast(a.data(), out.data(), a.size());
      return out;
    }
  }
}

#define STIPPLE_INSTANCES(T, U, D)                                                   \
  template Tensor<T, D> add<T, U, D>(const Tensor<T, D>&, const Tensor<U, D>&);      \
  template Tensor<T, D> subtract<T, U, D>(const Tensor<T, D>&, const Tensor<U, D>&); \
  template Tensor<T, D> multiply<T, U, D>(const Tensor<T, D>&, const Tensor<U, D>&); \
  template void add_in_place<T, U, D>(Tensor<T, D>&, const Tensor<U, D>&);           \
  template Tensor<U, D> sum_to<U, T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Shape&);
STIPPLE_FOR_EACH_PAIR(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T, D)                                            \
  template Tensor<T, D> affine<T, D>(const Tensor<T, D>&, double, double); \
  template Tensor<T, D> cast<T, float, D>(const Tensor<float, D>&);        \
  template Tensor<T, D> cast<T, bf16, D>(const Tensor<bf16, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
STIPPLE_INSTANTIATE_CPU(template Tensor<float> cast(const Tensor<double>&);
                        template Tensor<bf16> cast(const Tensor<double>&);
                        template Tensor<double> cast(const Tensor<double>&);)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
