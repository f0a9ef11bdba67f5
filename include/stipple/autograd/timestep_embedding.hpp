// Sinusoidal embeddings as values of a network. They are constants: no gradient flows into timesteps.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/timestep_embedding.hpp>

namespace stipple {

/// Timesteps (N) to (N, dim); see TimestepEmbeddingSpec.
template <Real T, Device D>
Var<T, D> timestep_embedding(const Tensor<accumulate_t<T>, D>& t, Index dim, TimestepEmbeddingSpec spec = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> timestep_embedding(const Tensor<accumulate_t<T>, D>& t, Index dim, TimestepEmbeddingSpec spec) {
  return Var<T, D>(ops::timestep_embedding<T>(t, dim, spec));
}

#define STIPPLE_INSTANCES(T, D) \
  template Var<T, D> timestep_embedding<T, D>(const Tensor<accumulate_t<T>, D>&, Index, TimestepEmbeddingSpec);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
