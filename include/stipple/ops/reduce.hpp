// Sums and means over all elements or over a range of axes, and the largest element.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Axes [first, last) of a tensor; negative numbers count from the end, and so does last = 0.
struct Axes {
  int first = 0, last = 0;
};

namespace ops {

/// Sum over `axes`, by default all, in the accumulation type; the axes vanish from the shape.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> sum(const Tensor<T, D>& x, Axes axes = {});
/// Gradient scale * dy of a sum over `axes` of a tensor of shape `x`.
template <Real T, Device D>
Tensor<T, D> sum_backward(const Tensor<accumulate_t<T>, D>& dy, const Shape& x, Axes axes = {}, double scale = 1);

/// Number of elements in each sum over `axes`; throws an Error if it is zero, which has no mean.
STIPPLE_INLINE Index count_for_mean(const char* name, const Shape& x, Axes axes);
/// Mean over `axes`, by default all, in the accumulation type.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> mean(const Tensor<T, D>& x, Axes axes = {});

/// The largest element; NaN if there is one.
template <Real T, Device D>
T max(const Tensor<T, D>& x);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/reduce.hpp>
#include <stipple/ops/arithmetic.hpp>

namespace stipple::ops::detail {

/// outer x middle x inner, with the axes in the middle, and the shape without them.
struct ReducePlan {
  Broadcast parts;
  Shape kept;
};

inline ReducePlan reduce_plan(const char* name, const Shape& shape, Axes axes) {
  int const rank = shape.rank();
  int const first = axes.first < 0 ? axes.first + rank : axes.first,
            last = axes.last <= 0 ? axes.last + rank : axes.last;
  require(first >= 0 && first <= last && last <= rank, name, ": given axes [", axes.first, ", ", axes.last,
          ") of a tensor of shape ", shape);
  ReducePlan plan{{shape.count(0, first), shape.count(first, last), shape.count(last, rank)}, {}};
  for (int i = 0; i < rank; ++i)
    if (i < first || i >= last) plan.kept.append(shape[i]);
  return plan;
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
Tensor<accumulate_t<T>, D> sum(const Tensor<T, D>& x, Axes axes) {
  require(x.defined(), "sum: given an empty tensor");
  auto const plan = detail::reduce_plan("sum", x.shape(), axes);
  Tensor<accumulate_t<T>, D> y(plan.kept);
  using cpu::sum_broadcast;
  sum_broadcast<T, accumulate_t<T>>(x.data(), nullptr, y.data(), plan.parts);
  return y;
}

template <Real T, Device D>
Tensor<T, D> sum_backward(const Tensor<accumulate_t<T>, D>& dy, const Shape& x, Axes axes, double scale) {
  auto const plan = detail::reduce_plan("sum_backward", x, axes);
  require(dy.defined() && dy.shape() == plan.kept, "sum_backward: given a gradient of shape ", dy.shape(), ", wanted ",
          plan.kept);
  Tensor<T, D> dx(x);
  using cpu::repeat;
  repeat(dy.data(), static_cast<accumulate_t<T>>(scale), dx.data(), plan.parts);
  return dx;
}

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Index count_for_mean(const char* name, const Shape& x, Axes axes) {
  Index const n = detail::reduce_plan(name, x, axes).parts.middle;
  require(n >= 1, name, ": given axes without elements in shape ", x);
  return n;
}
#endif

template <Real T, Device D>
Tensor<accumulate_t<T>, D> mean(const Tensor<T, D>& x, Axes axes) {
  require(x.defined(), "mean: given an empty tensor");
  auto const n = static_cast<double>(count_for_mean("mean", x.shape(), axes));
  auto y = sum(x, axes);
  if constexpr (std::same_as<D, Cpu>) {
    for (auto& value : y.span()) value = static_cast<accumulate_t<T>>(static_cast<double>(value) / n);
    return y;
  } else {
    return affine(y, 1 / n);
  }
}

template <Real T, Device D>
T max(const Tensor<T, D>& x) {
  require(x.size() >= 1, "max: given a tensor without elements");
  using cpu::max_all;
  return max_all(x.data(), x.size());
}

#define STIPPLE_INSTANCES(T, D)                                                                            \
  template Tensor<accumulate_t<T>, D> sum<T, D>(const Tensor<T, D>&, Axes);                                \
  template Tensor<T, D> sum_backward<T, D>(const Tensor<accumulate_t<T>, D>&, const Shape&, Axes, double); \
  template Tensor<accumulate_t<T>, D> mean<T, D>(const Tensor<T, D>&, Axes);                               \
  template T max<T, D>(const Tensor<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
