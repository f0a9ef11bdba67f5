#include <benchmark/benchmark.h>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/linear_attention.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

constexpr Index samples = 128, heads = 4, dim = 32;

template <class T>
Tensor<T> normal(const Shape& shape) {
  Rng rng(1);
  return ops::cast<T>(rng.normal(shape));
}

// `passes`: tensors of (samples, positions, heads dim) read or written; `products`: of dim x dim for each position.
template <class T>
void count(benchmark::State& state, Index positions, Index passes, Index products) {
  Index const size = samples * positions * heads * dim;
  state.SetBytesProcessed(state.iterations() * passes * size * static_cast<Index>(sizeof(T)));
  state.counters["FLOP/s"] = benchmark::Counter(2.0 * static_cast<double>(products * size * dim * state.iterations()),
                                                benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

template <class T>
void linear_attention_qkv(benchmark::State& state) {
  Index const positions = state.range(0);
  auto const qkv = normal<T>({samples, positions, 3 * heads * dim});
  for (auto _ : state) benchmark::DoNotOptimize(ops::linear_attention_qkv(qkv, heads, dim).y.data());
  count<T>(state, positions, 4, 2);
}

template <class T>
void linear_attention_qkv_backward(benchmark::State& state) {
  Index const positions = state.range(0);
  auto const qkv = normal<T>({samples, positions, 3 * heads * dim});
  auto const dy = normal<T>({samples, positions, heads * dim});
  auto const out = ops::linear_attention_qkv(qkv, heads, dim);
  for (auto _ : state) benchmark::DoNotOptimize(ops::linear_attention_qkv_backward(dy, qkv, out, heads, dim).data());
  count<T>(state, positions, 7, 4);
}

// The three levels of a U-Net on 28 x 28 images.
void levels(benchmark::internal::Benchmark* b) { b->Arg(784)->Arg(196)->Arg(49)->UseRealTime(); }
BENCHMARK(linear_attention_qkv<float>)->Apply(levels);
BENCHMARK(linear_attention_qkv<bf16>)->Apply(levels);
BENCHMARK(linear_attention_qkv_backward<float>)->Apply(levels);
BENCHMARK(linear_attention_qkv_backward<bf16>)->Apply(levels);

}  // namespace
