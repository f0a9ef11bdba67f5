#include <stipple/ops/attention.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

// Products of two floats counted as two operations; the exponentials are not counted.
// Arguments: samples, positions, heads, head size.
template <class T>
void attention_qkv(benchmark::State& state) {
  Index const n = state.range(0), positions = state.range(1), heads = state.range(2), dim = state.range(3);
  auto const qkv = normal<T>({n, positions, 3 * heads * dim});
  measure(state, [&] { return ops::attention_qkv(qkv, heads); });
  count_operations(state, 4.0 * static_cast<double>(n * heads * positions * positions * dim));
}

template <class T>
void attention_qkv_backward(benchmark::State& state) {
  Index const n = state.range(0), positions = state.range(1), heads = state.range(2), dim = state.range(3);
  auto const qkv = normal<T>({n, positions, 3 * heads * dim});
  auto const dy = normal<T>({n, positions, heads * dim}, 2);
  auto const out = ops::attention_qkv(qkv, heads);
  measure(state, [&] { return ops::attention_qkv_backward(dy, qkv, out, heads); });
  count_operations(state, 10.0 * static_cast<double>(n * heads * positions * positions * dim));
}

// The middle of a U-Net on 28 x 28 images, then pictures of 16 x 16 and 32 x 32 positions.
void course_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"samples", "positions", "heads", "dim"})->UseRealTime();
  b->Args({128, 49, 4, 32})->Args({16, 256, 4, 64})->Args({4, 1024, 4, 32});
  if (on_gpu) b->Args({64, 1024, 4, 64})->Args({16, 4096, 4, 64})->Args({16, 4096, 4, 128});
}

}  // namespace

BENCHMARK(attention_qkv<float>)->Apply(course_sizes);
BENCHMARK(attention_qkv<bf16>)->Apply(course_sizes);
BENCHMARK(attention_qkv_backward<float>)->Apply(course_sizes);
BENCHMARK(attention_qkv_backward<bf16>)->Apply(course_sizes);
