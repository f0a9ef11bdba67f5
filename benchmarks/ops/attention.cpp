#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/attention.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

template <class T>
Tensor<T> normal(const Shape& shape) {
  Rng rng(1);
  return ops::cast<T>(rng.normal(shape));
}

// Products of two floats counted as two operations; the exponentials are not counted.
void count(benchmark::State& state, double products) {
  state.counters["FLOP/s"] = benchmark::Counter(2 * products * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

// Arguments: samples, positions, heads, head size.
template <class T>
void attention_qkv(benchmark::State& state) {
  Index const n = state.range(0), positions = state.range(1), heads = state.range(2), dim = state.range(3);
  auto const qkv = normal<T>({n, positions, 3 * heads * dim});
  for (auto _ : state) benchmark::DoNotOptimize(ops::attention_qkv(qkv, heads).y.data());
  count(state, 2.0 * static_cast<double>(n * heads * positions * positions * dim));
}

template <class T>
void attention_qkv_backward(benchmark::State& state) {
  Index const n = state.range(0), positions = state.range(1), heads = state.range(2), dim = state.range(3);
  auto const qkv = normal<T>({n, positions, 3 * heads * dim});
  auto const dy = normal<T>({n, positions, heads * dim});
  auto const out = ops::attention_qkv(qkv, heads);
  for (auto _ : state) benchmark::DoNotOptimize(ops::attention_qkv_backward(dy, qkv, out, heads).data());
  count(state, 5.0 * static_cast<double>(n * heads * positions * positions * dim));
}

// The middle of a U-Net on 28 x 28 images, then pictures of 16 x 16 and 32 x 32 positions.
void course_sizes(benchmark::internal::Benchmark* b) {
  b->Args({128, 49, 4, 32})->Args({16, 256, 4, 64})->Args({4, 1024, 4, 32})->UseRealTime();
}
BENCHMARK(attention_qkv<float>)->Apply(course_sizes);
BENCHMARK(attention_qkv<bf16>)->Apply(course_sizes);
BENCHMARK(attention_qkv_backward<float>)->Apply(course_sizes);
BENCHMARK(attention_qkv_backward<bf16>)->Apply(course_sizes);

}  // namespace
