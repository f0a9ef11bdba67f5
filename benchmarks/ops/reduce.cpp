#include <benchmark/benchmark.h>

#include <stipple/ops/reduce.hpp>

using namespace stipple;

namespace {

const Shape activations{128, 28, 28, 56};

template <class T>
void sum(benchmark::State& state) {
  Tensor<T> const x(activations, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::sum(x).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(sizeof(T)));
}

template <class T>
void sum_backward(benchmark::State& state) {
  Tensor<accumulate_t<T>> const dy({128, 56}, 1);
  for (auto _ : state) benchmark::DoNotOptimize(ops::sum_backward<T>(dy, activations, {1, 3}).data());
  state.SetBytesProcessed(state.iterations() * activations.size() * static_cast<Index>(sizeof(T)));
}

template <class T>
void max(benchmark::State& state) {
  Tensor<T> const x(activations, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::max(x));
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(sizeof(T)));
}

}  // namespace

BENCHMARK_TEMPLATE(sum, float);
BENCHMARK_TEMPLATE(sum, bf16);
BENCHMARK_TEMPLATE(sum_backward, bf16);
BENCHMARK_TEMPLATE(max, float);
BENCHMARK_TEMPLATE(max, bf16);
