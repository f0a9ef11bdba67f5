#include <stipple/ops/activation.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// Reads x, writes y. Arguments: batch, activation.
template <class T>
void activation(benchmark::State& state) {
  auto const kind = static_cast<Activation>(state.range(1));
  auto const x = normal<T>(activations(state));
  measure(state, [&] { return ops::activate(x, kind); });
  count_elements<T>(state, 2 * x.size());
  state.SetLabel(to_text(kind));
}

/// Reads dy and x, writes dx.
template <class T>
void activation_backward(benchmark::State& state) {
  auto const kind = static_cast<Activation>(state.range(1));
  auto const x = normal<T>(activations(state)), dy = normal<T>(x.shape(), 2);
  measure(state, [&] { return ops::activate_backward(dy, x, kind); });
  count_elements<T>(state, 3 * x.size());
  state.SetLabel(to_text(kind));
}

void kinds(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "activation"})->UseRealTime();
  for (Index kind = 1; kind <= 8; ++kind) {
    b->Args({128, kind});
    if (on_gpu) b->Args({2048, kind});
  }
}

}  // namespace

BENCHMARK(activation<bf16>)->Apply(kinds);
BENCHMARK(activation<float>)->Apply(kinds);
BENCHMARK(activation_backward<bf16>)->Apply(kinds);
BENCHMARK(activation_backward<float>)->Apply(kinds);
