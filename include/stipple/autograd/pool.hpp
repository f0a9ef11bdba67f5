// Gradients of pooling.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/pool.hpp>

namespace stipple {

/// Mean of every window.
template <Real T, Device D>
Var<T, D> avg_pool(const Var<T, D>& x, PoolSpec spec = {});

/// Largest element of every window; the first of equal ones receives the gradient.
template <Real T, Device D>
Var<T, D> max_pool(const Var<T, D>& x, PoolSpec spec = {});

/// Mean over all pixels: (N, H, W, C) to (N, C).
template <Real T, Device D>
Var<T, D> global_avg_pool(const Var<T, D>& x);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> avg_pool(const Var<T, D>& x, PoolSpec spec) {
  return record(ops::avg_pool(x.value(), spec), std::tie(x), [shape = x.shape(), spec](const Tensor<T, D>& dy) {
    return std::tuple(ops::avg_pool_backward(dy, shape, spec));
  });
}

template <Real T, Device D>
Var<T, D> max_pool(const Var<T, D>& x, PoolSpec spec) {
  auto const y = ops::max_pool(x.value(), spec);
  return record(y, std::tie(x), [input = x.value(), y, spec](const Tensor<T, D>& dy) {
    return std::tuple(ops::max_pool_backward(dy, input, y, spec));
  });
}

template <Real T, Device D>
Var<T, D> global_avg_pool(const Var<T, D>& x) {
  return record(ops::global_avg_pool(x.value()), std::tie(x), [shape = x.shape()](const Tensor<T, D>& dy) {
    return std::tuple(ops::global_avg_pool_backward(dy, shape));
  });
}

#define STIPPLE_INSTANCES(T, D)                                  \
  template Var<T, D> avg_pool<T, D>(const Var<T, D>&, PoolSpec); \
  template Var<T, D> max_pool<T, D>(const Var<T, D>&, PoolSpec); \
  template Var<T, D> global_avg_pool<T, D>(const Var<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
