#include <stipple/ops/timestep_embedding.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// A batch of 128 timesteps; items are elements of the result.
void timestep_embedding(benchmark::State& state) {
  auto const t = to<Dev>(Rng(1).uniform({128}, 0, 1000));
  auto const dim = static_cast<Index>(state.range(0));
  measure(state, [&] { return ops::timestep_embedding<float>(t, dim); });
  state.SetItemsProcessed(state.iterations() * 128 * dim);
}

}  // namespace

BENCHMARK(timestep_embedding)->Arg(32)->Arg(256)->UseRealTime();
