#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>

using namespace stipple;

namespace {

const Shape activations{128, 28, 28, 56};

template <class T>
void add(benchmark::State& state) {
  Tensor<T> const a(activations, T(1)), b(activations, T(2));
  for (auto _ : state) benchmark::DoNotOptimize(ops::add(a, b).data());
  state.SetBytesProcessed(state.iterations() * 3 * a.size() * static_cast<Index>(sizeof(T)));
}

template <class T>
void multiply_per_channel(benchmark::State& state) {
  Tensor<T> const a(activations, T(1));
  Tensor<accumulate_t<T>> const b({56}, 2);
  for (auto _ : state) benchmark::DoNotOptimize(ops::multiply(a, b).data());
  state.SetBytesProcessed(state.iterations() * 2 * a.size() * static_cast<Index>(sizeof(T)));
}

template <class T>
void sum_to_channels(benchmark::State& state) {
  Tensor<T> const a(activations, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::sum_to<accumulate_t<T>>(a, Tensor<T>(), Shape{56}).data());
  state.SetBytesProcessed(state.iterations() * a.size() * static_cast<Index>(sizeof(T)));
}

void cast_to_bf16(benchmark::State& state) {
  Tensor<float> const a(activations, 1.0f);
  for (auto _ : state) benchmark::DoNotOptimize(ops::cast<bf16>(a).data());
  state.SetBytesProcessed(state.iterations() * 6 * a.size());
}

/// What a call costs where there is nothing to do: 128 two-dimensional points.
void add_small(benchmark::State& state) {
  Tensor<float> const a({128, 2}, 1.0f), b({128, 2}, 2.0f);
  for (auto _ : state) benchmark::DoNotOptimize(ops::add(a, b).data());
}

}  // namespace

BENCHMARK_TEMPLATE(add, float);
BENCHMARK_TEMPLATE(add, bf16);
BENCHMARK_TEMPLATE(multiply_per_channel, float);
BENCHMARK_TEMPLATE(multiply_per_channel, bf16);
BENCHMARK_TEMPLATE(sum_to_channels, float);
BENCHMARK_TEMPLATE(sum_to_channels, bf16);
BENCHMARK(cast_to_bf16);
BENCHMARK(add_small);
