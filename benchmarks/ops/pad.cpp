#include <stipple/ops/pad.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
void pad(benchmark::State& state) {
  auto const x = normal<T>(activations(state));
  measure(state, [&] { return ops::pad(x, {0, 1, 0, 1}); });
  count_elements<T>(state, 2 * x.size());
}

}  // namespace

BENCHMARK(pad<float>)->Apply(batches);
BENCHMARK(pad<bf16>)->Apply(batches);
