#include <stipple/ops/dropout.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
void dropout(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  DrawKey const key(1, Purpose::dropout, 0);
  measure(state, [&] { return ops::dropout(x, 0.1, key); });
  count_elements<T>(state, 2 * x.size());
}

}  // namespace

BENCHMARK(dropout<float>)->Apply(batches);
BENCHMARK(dropout<bf16>)->Apply(batches);
