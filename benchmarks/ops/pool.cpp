#include <stipple/ops/pool.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
void avg_pool(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  measure(state, [&] { return ops::avg_pool(x); });
  count_elements<T>(state, x.size() * 5 / 4);
}

template <class T>
void max_pool(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  measure(state, [&] { return ops::max_pool(x); });
  count_elements<T>(state, x.size() * 5 / 4);
}

template <class T>
void max_pool_backward(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  auto const y = ops::max_pool(x);
  measure(state, [&] { return ops::max_pool_backward(y, x, y); });
  count_elements<T>(state, x.size() * 5 / 2);
}

}  // namespace

BENCHMARK(avg_pool<float>)->Apply(batches);
BENCHMARK(avg_pool<bf16>)->Apply(batches);
BENCHMARK(max_pool<float>)->Apply(batches);
BENCHMARK(max_pool<bf16>)->Apply(batches);
BENCHMARK(max_pool_backward<float>)->Apply(batches);
BENCHMARK(max_pool_backward<bf16>)->Apply(batches);
