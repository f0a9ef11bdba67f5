#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/batch_norm.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

/// A batch of 128 feature maps of 28 x 28 x 56. With its own statistics it is read twice.
template <class T>
void batch_norm(benchmark::State& state) {
  auto const x = ops::cast<T>(Rng(1).normal({128, 28, 28, 56}));
  Tensor<float> const w({56}, 1.0f), b({56}, 0.0f);
  for (auto _ : state) benchmark::DoNotOptimize(ops::batch_norm(x, w, b).y.data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(3 * sizeof(T)));
}

template <class T>
void batch_norm_evaluate(benchmark::State& state) {
  auto const x = ops::cast<T>(Rng(1).normal({128, 28, 28, 56}));
  Tensor<float> const w({56}, 1.0f), b({56}, 0.0f);
  for (auto _ : state) benchmark::DoNotOptimize(ops::batch_norm(x, w, b, b, w).y.data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(2 * sizeof(T)));
}

/// dy and x are read twice.
template <class T>
void batch_norm_backward(benchmark::State& state) {
  auto const x = ops::cast<T>(Rng(1).normal({128, 28, 28, 56}));
  Tensor<T> const dy(x.shape(), T(1));
  Tensor<float> const w({56}, 1.0f), b({56}, 0.0f);
  auto const out = ops::batch_norm(x, w, b);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        ops::batch_norm_backward(dy, x, w, b, out.mean, out.rstd, BatchStatistics::batch).x.data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(5 * sizeof(T)));
}

}  // namespace

BENCHMARK(batch_norm<bf16>)->UseRealTime();
BENCHMARK(batch_norm<float>)->UseRealTime();
BENCHMARK(batch_norm_evaluate<bf16>)->UseRealTime();
BENCHMARK(batch_norm_backward<bf16>)->UseRealTime();
BENCHMARK(batch_norm_backward<float>)->UseRealTime();
