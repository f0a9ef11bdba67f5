// Timestep embeddings as values; timesteps are data, so no gradient flows into them.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/ops/timestep_embedding.hpp>

namespace stipple {

/// t (N) -> (N, dim); see ops::timestep_embedding.
template <Real T, Device D>
Var<T, D> timestep_embedding(const Tensor<accumulate_t<T>, D>& t, Index dim, const TimestepEmbeddingSpec& spec = {}) {
  return Var<T, D>(ops::timestep_embedding<T>(t, dim, spec));
}

}  // namespace stipple
