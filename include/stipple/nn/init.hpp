// Initial weights, as PyTorch's layers make them. They are drawn on the host, so every device starts with the same
// bits.
#pragma once

#include <cmath>

#include <stipple/core/compiled.hpp>
#include <stipple/nn/parameter.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// Uniform in [-bound, bound).
template <Real T, Device D>
Tensor<T, D> uniform_tensor(Shape shape, double bound, Rng& rng);

/// PyTorch's default for weights and biases of linear and convolution layers: uniform in +-1/sqrt(fan_in)
/// (Kaiming uniform with a = sqrt 5, He et al. 2015).
template <Real T, Device D>
Tensor<T, D> default_init(Shape shape, Index fan_in, Rng& rng);

/// Uniform in +-gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16).
template <Real T, Device D>
Tensor<T, D> xavier_uniform(Shape shape, Index fan_in, Index fan_out, double gain, Rng& rng);

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
Tensor<T, D> uniform_tensor(Shape shape, double bound, Rng& rng) {
  // One row: the numbers belong to the parameter as a whole.
  auto const values =
      rng.uniform({1, shape.size()}, static_cast<float>(-bound), static_cast<float>(bound), Purpose::initialise);
  return to<D>(ops::cast<T>(values.reshape(shape)));
}

template <Real T, Device D>
Tensor<T, D> default_init(Shape shape, Index fan_in, Rng& rng) {
  return uniform_tensor<T, D>(shape, 1.0 / std::sqrt(static_cast<double>(std::max<Index>(1, fan_in))), rng);
}

template <Real T, Device D>
Tensor<T, D> xavier_uniform(Shape shape, Index fan_in, Index fan_out, double gain, Rng& rng) {
  return uniform_tensor<T, D>(shape, gain * std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)), rng);
}

#define STIPPLE_INSTANCES(T, D)                                    \
  template Tensor<T, D> uniform_tensor<T, D>(Shape, double, Rng&); \
  template Tensor<T, D> default_init<T, D>(Shape, Index, Rng&);    \
  template Tensor<T, D> xavier_uniform<T, D>(Shape, Index, Index, double, Rng&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
