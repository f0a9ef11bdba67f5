#include <benchmark/benchmark.h>

#include <stipple/ops/pad.hpp>

using namespace stipple;

namespace {

template <class T>
void pad(benchmark::State& state) {
  Tensor<T> const x({128, 28, 28, 56}, T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::pad(x, {0, 1, 0, 1}).data());
  state.SetBytesProcessed(state.iterations() * 2 * x.size() * static_cast<Index>(sizeof(T)));
}

}  // namespace

BENCHMARK_TEMPLATE(pad, float);
BENCHMARK_TEMPLATE(pad, bf16);
