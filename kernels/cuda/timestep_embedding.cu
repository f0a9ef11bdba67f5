#include <cmath>

#include <stipple/backend/cuda/timestep_embedding.hpp>

#include "launch.cuh"
#include "timestep_embedding.cuh"

namespace stipple::cuda {

template <class T>
void timestep_embedding(Pointer<const float> t, Pointer<T> y, Index n, Index dim, bool cosines_first,
                        const TimestepFrequencies& frequencies) {
  if (n == 0) return;
  double const step = frequencies.count > 1 ? -std::log2(frequencies.max_period) / frequencies.divisor : 0;
  launch("timestep_embedding", timestep_embedding_kernel<T>, strided(n * (dim / 2)), t.address(), y.address(), n, dim,
         cosines_first, frequencies.turns(0), step);
}

#define STIPPLE_INSTANCES(T) \
  template void timestep_embedding<T>(Pointer<const float>, Pointer<T>, Index, Index, bool, const TimestepFrequencies&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
