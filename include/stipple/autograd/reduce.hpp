// Gradients of sums and means.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/ops/reduce.hpp>

namespace stipple {

/// Sum over `axes`, by default all, in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> sum(const Var<T, D>& x, Axes axes = {}) {
  return record(ops::sum(x.value(), axes), std::tie(x),
                [shape = x.shape(), axes](const Tensor<accumulate_t<T>, D>& dy) {
                  return std::tuple(ops::sum_backward<T>(dy, shape, axes));
                });
}

/// Mean over `axes`, by default all, in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> mean(const Var<T, D>& x, Axes axes = {}) {
  return record(ops::mean(x.value(), axes), std::tie(x),
                [shape = x.shape(), axes](const Tensor<accumulate_t<T>, D>& dy) {
                  auto const n = static_cast<double>(ops::count_for_mean("mean", shape, axes));
                  return std::tuple(ops::sum_backward<T>(dy, shape, axes, 1 / n));
                });
}

}  // namespace stipple
