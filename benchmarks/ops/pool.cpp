#include <benchmark/benchmark.h>

#include <stipple/ops/pool.hpp>

using namespace stipple;

namespace {

const Shape images{128, 28, 28, 56};

template <class T>
void avg_pool(benchmark::State& state) {
  Tensor<T> const x(images, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::avg_pool(x).data());
  state.SetBytesProcessed(state.iterations() * x.size() * 5 / 4 * static_cast<Index>(sizeof(T)));
}

template <class T>
void max_pool(benchmark::State& state) {
  Tensor<T> const x(images, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::max_pool(x).data());
  state.SetBytesProcessed(state.iterations() * x.size() * 5 / 4 * static_cast<Index>(sizeof(T)));
}

template <class T>
void max_pool_backward(benchmark::State& state) {
  Tensor<T> const x(images, T(1));
  auto const y = ops::max_pool(x);
  for (auto _ : state) benchmark::DoNotOptimize(ops::max_pool_backward(y, x, y).data());
  state.SetBytesProcessed(state.iterations() * x.size() * 5 / 2 * static_cast<Index>(sizeof(T)));
}

}  // namespace

BENCHMARK_TEMPLATE(avg_pool, float);
BENCHMARK_TEMPLATE(avg_pool, bf16);
BENCHMARK_TEMPLATE(max_pool, float);
BENCHMARK_TEMPLATE(max_pool, bf16);
BENCHMARK_TEMPLATE(max_pool_backward, float);
BENCHMARK_TEMPLATE(max_pool_backward, bf16);
