#include <stipple/ops/reduce.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
void sum(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  measure(state, [&] { return ops::sum(x); });
  count_elements<T>(state, x.size());
}

template <class T>
void sum_backward(benchmark::State& state) {
  Shape const shape = activations(state);
  auto const dy = normal<accumulate_t<T>>({shape[0], shape[3]});
  measure(state, [&] { return ops::sum_backward<T>(dy, shape, {1, 3}); });
  count_elements<T>(state, shape.size());
}

/// The host has the result, so that a GPU is waited for at every call.
template <class T>
void max(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  measure(state, [&] { return ops::max(x); });
  count_elements<T>(state, x.size());
}

}  // namespace

BENCHMARK(sum<float>)->Apply(batches);
BENCHMARK(sum<bf16>)->Apply(batches);
BENCHMARK(sum_backward<bf16>)->Apply(batches);
BENCHMARK(max<float>)->Apply(batches);
BENCHMARK(max<bf16>)->Apply(batches);
