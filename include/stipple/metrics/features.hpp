// What the measures over feature vectors ask of their input.
#pragma once

#include <cmath>

#include <stipple/tensor/tensor.hpp>

namespace stipple::detail {

/// Throws in the name of `operation` unless `features` are finite vectors (N, D), at least `least` of them.
inline void check_features(const char* operation, const Tensor<float>& features, Index least) {
  require(features.defined() && features.rank() == 2 && features.dim(0) >= least && features.dim(1) >= 1, operation,
          ": given features of shape ", features.shape(), ", wanted (N, D) with N at least ", least);
  auto const values = features.span();
  auto const dim = static_cast<std::size_t>(features.dim(1));
  for (std::size_t i = 0; i < values.size(); ++i)
    require(std::isfinite(values[i]), operation, ": feature ", i % dim, " of vector ", i / dim,
            " is not a finite number");
}

/// The same for two sets, which must agree in D.
inline void check_features(const char* operation, const Tensor<float>& a, const Tensor<float>& b, Index least) {
  check_features(operation, a, least);
  check_features(operation, b, least);
  require(a.dim(1) == b.dim(1), operation, ": given features of ", a.dim(1), " and of ", b.dim(1),
          " dimensions, wanted the same");
}

}  // namespace stipple::detail
