// Dropout (Srivastava et al. 2014), with masks that are a function of a key.
#pragma once

#include <cmath>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple::ops {

/// Sets elements to zero with probability `p` and divides the others by 1 - p, where p is rounded to a multiple of
/// 2^-16. The mask depends on the key, the index along the first axis and the element within it, so the gradient is the
/// same operation applied to the gradient of the result.
template <Real T, Device D>
Tensor<T, D> dropout(const Tensor<T, D>& x, double p, const DrawKey& key);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/dropout.hpp>

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> dropout(const Tensor<T, D>& x, double p, const DrawKey& key) {
  require(x.defined(), "dropout: given an empty tensor");
  require(p >= 0 && p <= 1, "dropout: given probability ", p, ", wanted 0 to 1");
  auto const threshold = static_cast<std::uint32_t>(std::lround(p * 65536));
  float const scale = threshold == 65536 ? 0.0f : 65536.0f / static_cast<float>(65536 - threshold);
  Tensor<T, D> y(x.shape());
  Index const samples = x.rank() == 0 ? 1 : x.dim(0);
  using cpu::dropout;
  if (x.size() > 0) dropout(x.data(), y.data(), samples, x.size() / samples, DropoutPlan{key, threshold, scale});
  return y;
}

#define STIPPLE_INSTANCES(T, D) template Tensor<T, D> dropout<T, D>(const Tensor<T, D>&, double, const DrawKey&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
