#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/softmax.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

/// 8192 rows; argument: their length.
template <class T>
void softmax(benchmark::State& state) {
  auto const x = ops::cast<T>(Rng(1).normal({8192, state.range(0)}));
  for (auto _ : state) benchmark::DoNotOptimize(ops::softmax(x).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(2 * sizeof(T)));
}

template <class T>
void softmax_backward(benchmark::State& state) {
  auto const x = ops::cast<T>(Rng(1).normal({8192, state.range(0)}));
  auto const y = ops::softmax(x);
  for (auto _ : state) benchmark::DoNotOptimize(ops::softmax_backward(x, y).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(3 * sizeof(T)));
}

}  // namespace

BENCHMARK(softmax<bf16>)->Arg(49)->Arg(784)->UseRealTime();
BENCHMARK(softmax<float>)->Arg(49)->Arg(784)->UseRealTime();
BENCHMARK(softmax_backward<bf16>)->Arg(49)->Arg(784)->UseRealTime();
BENCHMARK(softmax_backward<float>)->Arg(49)->Arg(784)->UseRealTime();
