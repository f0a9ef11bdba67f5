#include <stipple/ops/concat.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
void concat(benchmark::State& state) {
  auto const a = normal<T>({state.range(0), 14, 14, 112}), b = normal<T>(a.shape(), 2);
  measure(state, [&] { return ops::concat<T, Dev>({a, b}); });
  count_elements<T>(state, 4 * a.size());
}

template <class T>
void split(benchmark::State& state) {
  auto const x = normal<T>({state.range(0), 14, 14, 224});
  measure(state, [&] { return ops::split(x, {112, 112}); });
  count_elements<T>(state, 2 * x.size());
}

}  // namespace

BENCHMARK(concat<float>)->Apply(batches);
BENCHMARK(concat<bf16>)->Apply(batches);
BENCHMARK(split<float>)->Apply(batches);
BENCHMARK(split<bf16>)->Apply(batches);
