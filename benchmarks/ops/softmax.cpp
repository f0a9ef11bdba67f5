#include <stipple/ops/softmax.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// Arguments: rows, their length.
template <class T>
void softmax(benchmark::State& state) {
  auto const x = normal<T>({state.range(0), state.range(1)});
  measure(state, [&] { return ops::softmax(x); });
  count_elements<T>(state, 2 * x.size());
}

template <class T>
void softmax_backward(benchmark::State& state) {
  auto const x = normal<T>({state.range(0), state.range(1)});
  auto const y = ops::softmax(x);
  measure(state, [&] { return ops::softmax_backward(x, y); });
  count_elements<T>(state, 3 * x.size());
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"rows", "length"})->UseRealTime();
  for (Index length : {49, 784}) {
    b->Args({8192, length});
    if (on_gpu) b->Args({131072, length});
  }
}

}  // namespace

BENCHMARK(softmax<bf16>)->Apply(shapes);
BENCHMARK(softmax<float>)->Apply(shapes);
BENCHMARK(softmax_backward<bf16>)->Apply(shapes);
BENCHMARK(softmax_backward<float>)->Apply(shapes);
