#include <stipple/ops/group_norm.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
struct Operands {
  Tensor<T, Dev> x, dy;
  Tensor<float, Dev> weight, bias;
  GroupNormSpec spec;

  /// Images of side x side x channels; arguments: batch, side, channels, groups, activation.
  explicit Operands(const benchmark::State& state)
      : x(normal<T>({state.range(0), state.range(1), state.range(1), state.range(2)})),
        dy(normal<T>(x.shape(), 2)),
        weight(constant<float>({state.range(2)}, 1)),
        bias(constant<float>({state.range(2)}, 0)),
        spec{.groups = state.range(3), .activation = static_cast<Activation>(state.range(4))} {}
};

/// Bytes of memory: x read once (the image stays in the cache for the second pass), y written.
template <class T>
void group_norm(benchmark::State& state) {
  Operands<T> const o(state);
  measure(state, [&] { return ops::group_norm(o.x, o.weight, o.bias, o.spec); });
  count_elements<T>(state, 2 * o.x.size());
}

/// dy and x read once, dx written.
template <class T>
void group_norm_backward(benchmark::State& state) {
  Operands<T> const o(state);
  auto const out = ops::group_norm(o.x, o.weight, o.bias, o.spec);
  measure(state, [&] { return ops::group_norm_backward(o.dy, o.x, o.weight, o.bias, out.mean, out.rstd, o.spec); });
  count_elements<T>(state, 3 * o.x.size());
}

void shapes(benchmark::internal::Benchmark* b) {
  constexpr auto none = static_cast<Index>(Activation::none), silu = static_cast<Index>(Activation::silu);
  b->ArgNames({"batch", "side", "channels", "groups", "activation"})->UseRealTime();
  b->Args({128, 28, 56, 1, none})->Args({128, 28, 56, 1, silu})->Args({128, 28, 28, 1, none});
  b->Args({128, 14, 112, 8, silu})->Args({128, 7, 256, 32, silu})->Args({2, 128, 64, 32, silu});
  if (on_gpu) b->Args({64, 64, 128, 32, silu})->Args({512, 64, 128, 32, silu});
}

}  // namespace

BENCHMARK(group_norm<bf16>)->Apply(shapes);
BENCHMARK(group_norm<float>)->Apply(shapes);
BENCHMARK(group_norm_backward<bf16>)->Apply(shapes);
BENCHMARK(group_norm_backward<float>)->Apply(shapes);
