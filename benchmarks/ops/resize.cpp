#include <benchmark/benchmark.h>

#include <stipple/ops/resize.hpp>

using namespace stipple;

namespace {

/// Bytes read and written: 128 images from 14 x 14 to 28 x 28, 112 channels.
template <class T, ResizeMode mode>
void resize(benchmark::State& state) {
  Tensor<T> const x({128, 14, 14, 112}, T(1));
  ResizeSpec const spec{mode, mode == ResizeMode::bilinear};
  for (auto _ : state) benchmark::DoNotOptimize(ops::resize(x, {28, 28}, spec).data());
  state.SetBytesProcessed(state.iterations() * 5 * x.size() * static_cast<Index>(sizeof(T)));
}

template <class T, ResizeMode mode>
void resize_backward(benchmark::State& state) {
  Tensor<T> const dy({128, 28, 28, 112}, T(1));
  ResizeSpec const spec{mode, mode == ResizeMode::bilinear};
  for (auto _ : state) benchmark::DoNotOptimize(ops::resize_backward(dy, {14, 14}, spec).data());
  state.SetBytesProcessed(state.iterations() * dy.size() * 5 / 4 * static_cast<Index>(sizeof(T)));
}

}  // namespace

BENCHMARK_TEMPLATE(resize, float, ResizeMode::nearest);
BENCHMARK_TEMPLATE(resize, bf16, ResizeMode::nearest);
BENCHMARK_TEMPLATE(resize, bf16, ResizeMode::bilinear);
BENCHMARK_TEMPLATE(resize_backward, float, ResizeMode::nearest);
BENCHMARK_TEMPLATE(resize_backward, bf16, ResizeMode::nearest);
BENCHMARK_TEMPLATE(resize_backward, bf16, ResizeMode::bilinear);
