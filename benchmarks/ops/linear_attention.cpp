#include <stipple/ops/linear_attention.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

constexpr Index heads = 4, dim = 32;

// `passes`: tensors of (samples, positions, heads dim) read or written; `products`: of dim x dim for each position.
template <class T>
void count(benchmark::State& state, Index passes, Index products) {
  Index const size = state.range(0) * state.range(1) * heads * dim;
  count_elements<T>(state, passes * size);
  count_operations(state, 2.0 * static_cast<double>(products * size * dim));
}

// Arguments: samples, positions.
template <class T>
void linear_attention_qkv(benchmark::State& state) {
  auto const qkv = normal<T>({state.range(0), state.range(1), 3 * heads * dim});
  measure(state, [&] { return ops::linear_attention_qkv(qkv, heads, dim); });
  count<T>(state, 4, 2);
}

template <class T>
void linear_attention_qkv_backward(benchmark::State& state) {
  auto const qkv = normal<T>({state.range(0), state.range(1), 3 * heads * dim});
  auto const dy = normal<T>({state.range(0), state.range(1), heads * dim}, 2);
  auto const out = ops::linear_attention_qkv(qkv, heads, dim);
  measure(state, [&] { return ops::linear_attention_qkv_backward(dy, qkv, out, heads, dim); });
  count<T>(state, 7, 4);
}

// The three levels of a U-Net on 28 x 28 images.
void levels(benchmark::internal::Benchmark* b) {
  b->ArgNames({"samples", "positions"})->UseRealTime();
  for (Index positions : {784, 196, 49}) {
    b->Args({128, positions});
    if (on_gpu) b->Args({1024, positions});
  }
}

}  // namespace

BENCHMARK(linear_attention_qkv<float>)->Apply(levels);
BENCHMARK(linear_attention_qkv<bf16>)->Apply(levels);
BENCHMARK(linear_attention_qkv_backward<float>)->Apply(levels);
BENCHMARK(linear_attention_qkv_backward<bf16>)->Apply(levels);
