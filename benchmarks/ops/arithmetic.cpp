#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
void add(benchmark::State& state) {
  auto const a = normal<T>(activations(state)), b = normal<T>(a.shape(), 2);
  measure(state, [&] { return ops::add(a, b); });
  count_elements<T>(state, 3 * a.size());
}

template <class T>
void multiply_per_channel(benchmark::State& state) {
  auto const a = normal<T>(activations(state));
  auto const b = constant<accumulate_t<T>>({56}, 2);
  measure(state, [&] { return ops::multiply(a, b); });
  count_elements<T>(state, 2 * a.size());
}

template <class T>
void sum_to_channels(benchmark::State& state) {
  auto const a = normal<T>(activations(state));
  measure(state, [&] { return ops::sum_to<accumulate_t<T>>(a, Tensor<T, Dev>(), Shape{56}); });
  count_elements<T>(state, a.size());
}

void cast_to_bf16(benchmark::State& state) {
  auto const a = normal<float>(activations(state));
  measure(state, [&] { return ops::cast<bf16>(a); });
  count_bytes(state, 6 * a.size());
}

/// What a call costs where there is nothing to do: 128 two-dimensional points.
void add_small(benchmark::State& state) {
  auto const a = normal<float>({128, 2}), b = normal<float>({128, 2}, 2);
  measure(state, [&] { return ops::add(a, b); });
}

}  // namespace

BENCHMARK(add<float>)->Apply(batches);
BENCHMARK(add<bf16>)->Apply(batches);
BENCHMARK(multiply_per_channel<float>)->Apply(batches);
BENCHMARK(multiply_per_channel<bf16>)->Apply(batches);
BENCHMARK(sum_to_channels<float>)->Apply(batches);
BENCHMARK(sum_to_channels<bf16>)->Apply(batches);
BENCHMARK(cast_to_bf16)->Apply(batches);
BENCHMARK(add_small)->UseRealTime();
