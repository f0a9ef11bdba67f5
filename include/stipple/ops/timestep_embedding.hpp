// Sinusoidal embeddings of timesteps (Vaswani et al. 2017, section 3.5), in all usual conventions.
#pragma once

#include <stipple/backend/cpu/timestep_embedding.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The names are those of diffusers' get_timestep_embedding. KAIST: cos first, shift 0. AI504: sin first, shift 1.
/// Radboud: sin first, shift 0.
struct TimestepEmbeddingSpec {
  bool flip_sin_to_cos = false;     ///< cos before sin
  double downscale_freq_shift = 1;  ///< frequencies max_period^(-i / (dim/2 - shift))
  double scale = 1;                 ///< of the timesteps
  double max_period = 10000;
};

namespace ops {

/// t (N) -> (N, dim) of element type T; the last column of an odd dim is 0.
template <Real T, Real S, Device D>
Tensor<T, D> timestep_embedding(const Tensor<S, D>& t, Index dim, const TimestepEmbeddingSpec& spec = {}) {
  require(t.defined() && t.rank() == 1, "timestep_embedding: given t of shape ", t.shape(), ", wanted (N)");
  double const half = static_cast<double>(dim / 2);
  require(dim >= 2 && half > spec.downscale_freq_shift && spec.max_period > 0, "timestep_embedding: given dim ", dim,
          ", downscale_freq_shift ", spec.downscale_freq_shift, " and max_period ", spec.max_period,
          ", wanted dim / 2 above the shift and a positive period");
  Tensor<T, D> out({t.dim(0), dim});
  cpu::timestep_embedding(
      t.data(), out.data(),
      {t.dim(0), dim, spec.flip_sin_to_cos, spec.downscale_freq_shift, spec.scale, spec.max_period});
  return out;
}

}  // namespace ops
}  // namespace stipple
