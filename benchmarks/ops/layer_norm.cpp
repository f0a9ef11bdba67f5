#include <stipple/ops/layer_norm.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
struct Operands {
  Tensor<T, Dev> x, dy;
  Tensor<float, Dev> weight, bias;

  /// Sequences of 196 positions; arguments: batch, channels.
  explicit Operands(const benchmark::State& state)
      : x(normal<T>({state.range(0), 196, state.range(1)})),
        dy(normal<T>(x.shape(), 2)),
        weight(constant<float>({state.range(1)}, 1)),
        bias(constant<float>({state.range(1)}, 0)) {}
};

template <class T>
void layer_norm(benchmark::State& state) {
  Operands<T> const o(state);
  measure(state, [&] { return ops::layer_norm(o.x, o.weight, o.bias); });
  count_elements<T>(state, 2 * o.x.size());
}

template <class T>
void layer_norm_backward(benchmark::State& state) {
  Operands<T> const o(state);
  auto const out = ops::layer_norm(o.x, o.weight, o.bias);
  measure(state, [&] { return ops::layer_norm_backward(o.dy, o.x, o.weight, o.bias, out.mean, out.rstd); });
  count_elements<T>(state, 3 * o.x.size());
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "channels"})->UseRealTime();
  for (Index channels : {56, 128, 512}) {
    b->Args({128, channels});
    if (on_gpu) b->Args({2048, channels});
  }
}

}  // namespace

BENCHMARK(layer_norm<bf16>)->Apply(shapes);
BENCHMARK(layer_norm<float>)->Apply(shapes);
BENCHMARK(layer_norm_backward<bf16>)->Apply(shapes);
BENCHMARK(layer_norm_backward<float>)->Apply(shapes);
