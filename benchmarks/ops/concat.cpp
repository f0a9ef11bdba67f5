#include <benchmark/benchmark.h>

#include <stipple/ops/concat.hpp>

using namespace stipple;

namespace {

template <class T>
void concat(benchmark::State& state) {
  Tensor<T> const a({128, 14, 14, 112}, T(1)), b({128, 14, 14, 112}, T(2));
  for (auto _ : state) benchmark::DoNotOptimize(ops::concat<T, Cpu>({a, b}).data());
  state.SetBytesProcessed(state.iterations() * 4 * a.size() * static_cast<Index>(sizeof(T)));
}

template <class T>
void split(benchmark::State& state) {
  Tensor<T> const x({128, 14, 14, 224}, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::split(x, {112, 112}).data());
  state.SetBytesProcessed(state.iterations() * 2 * x.size() * static_cast<Index>(sizeof(T)));
}

}  // namespace

BENCHMARK_TEMPLATE(concat, float);
BENCHMARK_TEMPLATE(concat, bf16);
BENCHMARK_TEMPLATE(split, float);
BENCHMARK_TEMPLATE(split, bf16);
