// Gradients of sums and means.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/reduce.hpp>

namespace stipple {

/// Sum over `axes`, by default all, in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> sum(const Var<T, D>& x, Axes axes = {});

/// Mean over `axes`, by default all, in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> mean(const Var<T, D>& x, Axes axes = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<accumulate_t<T>, D> sum(const Var<T, D>& x, Axes axes) {
  return record(ops::sum(x.value(), axes), std::tie(x),
                [shape = x.shape(), axes](const Tensor<accumulate_t<T>, D>& dy) {
                  return std::tuple(ops::sum_backward<T>(dy, shape, axes));
                });
}

template <Real T, Device D>
Var<accumulate_t<T>, D> mean(const Var<T, D>& x, Axes axes) {
  return record(ops::mean(x.value(), axes), std::tie(x),
                [shape = x.shape(), axes](const Tensor<accumulate_t<T>, D>& dy) {
                  auto const n = static_cast<double>(ops::count_for_mean("mean", shape, axes));
                  return std::tuple(ops::sum_backward<T>(dy, shape, axes, 1 / n));
                });
}

#define STIPPLE_INSTANCES(T, D)                                       \
  template Var<accumulate_t<T>, D> sum<T, D>(const Var<T, D>&, Axes); \
  template Var<accumulate_t<T>, D> mean<T, D>(const Var<T, D>&, Axes);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
