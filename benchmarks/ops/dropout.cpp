#include <benchmark/benchmark.h>

#include <stipple/ops/dropout.hpp>

using namespace stipple;

namespace {

template <class T>
void dropout(benchmark::State& state) {
  Tensor<T> const x({128, 28, 28, 56}, T(1));
  DrawKey const key(1, Purpose::dropout, 0);
  for (auto _ : state) benchmark::DoNotOptimize(ops::dropout(x, 0.1, key).data());
  state.SetBytesProcessed(state.iterations() * 2 * x.size() * static_cast<Index>(sizeof(T)));
}

}  // namespace

BENCHMARK_TEMPLATE(dropout, float);
BENCHMARK_TEMPLATE(dropout, bf16);
