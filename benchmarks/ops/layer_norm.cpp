#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/layer_norm.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

/// Sequences of 128 x 196; argument: channels.
template <class T>
void layer_norm(benchmark::State& state) {
  Index const channels = state.range(0);
  auto const x = ops::cast<T>(Rng(1).normal({128, 196, channels}));
  Tensor<float> const w({channels}, 1.0f), b({channels}, 0.0f);
  for (auto _ : state) benchmark::DoNotOptimize(ops::layer_norm(x, w, b).y.data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(2 * sizeof(T)));
}

template <class T>
void layer_norm_backward(benchmark::State& state) {
  Index const channels = state.range(0);
  auto const x = ops::cast<T>(Rng(1).normal({128, 196, channels}));
  Tensor<T> const dy(x.shape(), T(1));
  Tensor<float> const w({channels}, 1.0f), b({channels}, 0.0f);
  auto const out = ops::layer_norm(x, w, b);
  for (auto _ : state) benchmark::DoNotOptimize(ops::layer_norm_backward(dy, x, w, b, out.mean, out.rstd).x.data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(3 * sizeof(T)));
}

}  // namespace

BENCHMARK(layer_norm<bf16>)->Arg(56)->Arg(128)->Arg(512)->UseRealTime();
BENCHMARK(layer_norm<float>)->Arg(56)->Arg(128)->Arg(512)->UseRealTime();
BENCHMARK(layer_norm_backward<bf16>)->Arg(56)->Arg(128)->Arg(512)->UseRealTime();
BENCHMARK(layer_norm_backward<float>)->Arg(56)->Arg(128)->Arg(512)->UseRealTime();
