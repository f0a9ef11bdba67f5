#include <benchmark/benchmark.h>

#include <stipple/ops/activation.hpp>

using namespace stipple;

namespace {

/// A batch of 128 feature maps of 28 x 28 x 56: reads x, writes y.
template <class T>
void activation(benchmark::State& state) {
  auto const kind = static_cast<Activation>(state.range(0));
  Tensor<T> const x({128, 28, 28, 56}, T(0.5f));
  for (auto _ : state) benchmark::DoNotOptimize(ops::activate(x, kind).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(2 * sizeof(T)));
  state.SetLabel(to_text(kind));
}

/// Reads dy and x, writes dx.
template <class T>
void activation_backward(benchmark::State& state) {
  auto const kind = static_cast<Activation>(state.range(0));
  Tensor<T> const x({128, 28, 28, 56}, T(0.5f)), dy(x.shape(), T(1));
  for (auto _ : state) benchmark::DoNotOptimize(ops::activate_backward(dy, x, kind).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(3 * sizeof(T)));
  state.SetLabel(to_text(kind));
}

}  // namespace

BENCHMARK(activation<bf16>)->DenseRange(1, 8)->UseRealTime();
BENCHMARK(activation<float>)->DenseRange(1, 8)->UseRealTime();
BENCHMARK(activation_backward<bf16>)->DenseRange(1, 8)->UseRealTime();
BENCHMARK(activation_backward<float>)->DenseRange(1, 8)->UseRealTime();
