// Sinusoidal embeddings of timesteps (Vaswani et al. 2017, section 3.5), in the conventions in use.
#pragma once

#include <cmath>

#include <stipple/backend/timestep_frequencies.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The parameters of diffusers' get_timestep_embedding, with its defaults. With half = dim / 2, frequency i is
/// scale max_period^(-i / (half - downscale_freq_shift)).
struct TimestepEmbeddingSpec {
  bool flip_sin_to_cos = false;     ///< cosines in the first half instead of sines
  double downscale_freq_shift = 1;  ///< 0: the last frequency lies above 1 / max_period; 1: on it
  double scale = 1;
  double max_period = 10000;
};

namespace ops {

/// Timesteps (N) to (N, dim). An odd `dim` ends with a column of zeros.
template <Real T, Device D>
Tensor<T, D> timestep_embedding(const Tensor<accumulate_t<T>, D>& t, Index dim, TimestepEmbeddingSpec spec = {});

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/timestep_embedding.hpp>

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> timestep_embedding(const Tensor<accumulate_t<T>, D>& t, Index dim, TimestepEmbeddingSpec spec) {
  require(t.rank() == 1, "timestep_embedding: given timesteps of shape ", t.shape(), ", wanted (N)");
  Index const half = dim / 2;
  double const divisor = static_cast<double>(half) - spec.downscale_freq_shift;
  require(dim >= 2 && (half == 1 || divisor > 0), "timestep_embedding: given ", dim, " features and a shift of ",
          spec.downscale_freq_shift, ", wanted at least 2 features and a shift below half of them");
  require(spec.max_period > 0 && std::isfinite(spec.scale * spec.max_period), "timestep_embedding: given period ",
          spec.max_period, " and scale ", spec.scale, ", wanted a positive period and finite numbers");
  TimestepFrequencies const frequencies{half, spec.scale, spec.max_period, divisor};
  Tensor<T, D> y({t.dim(0), dim});
  using cpu::timestep_embedding;
  timestep_embedding(t.data(), y.data(), t.dim(0), dim, spec.flip_sin_to_cos, frequencies);
  return y;
}

#define STIPPLE_INSTANCES(T, D) \
  template Tensor<T, D> timestep_embedding<T, D>(const Tensor<accumulate_t<T>, D>&, Index, TimestepEmbeddingSpec);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
