#include <benchmark/benchmark.h>

#include <stipple/ops/embedding.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

/// A batch of labels: 128 of 10 classes, 256 features.
void embedding(benchmark::State& state) {
  Tensor<bf16> const table({10, 256}, bf16(1));
  auto const ids = Rng(1).integers({128}, 0, 10);
  for (auto _ : state) benchmark::DoNotOptimize(ops::embedding(table, ids).data());
  state.SetBytesProcessed(state.iterations() * 128 * 256 * 4);
}

void embedding_backward(benchmark::State& state) {
  Tensor<bf16> const dy({128, 256}, bf16(1));
  auto const ids = Rng(1).integers({128}, 0, 10);
  for (auto _ : state) benchmark::DoNotOptimize(ops::embedding_backward(dy, ids, 10).data());
  state.SetBytesProcessed(state.iterations() * 128 * 256 * 2);
}

}  // namespace

BENCHMARK(embedding);
BENCHMARK(embedding_backward);
