#include <benchmark/benchmark.h>

#include <stipple/ops/timestep_embedding.hpp>

using namespace stipple;

namespace {

/// A batch of 128 timesteps; items are elements of the result.
void timestep_embedding(benchmark::State& state) {
  Tensor<float> t({128});
  for (Index i = 0; i < 128; ++i) t.data()[i] = static_cast<float>(7 * i);
  auto const dim = static_cast<Index>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(ops::timestep_embedding<float>(t, dim).data());
  state.SetItemsProcessed(state.iterations() * 128 * dim);
}

}  // namespace

BENCHMARK(timestep_embedding)->Arg(32)->Arg(256);
