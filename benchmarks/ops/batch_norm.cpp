#include <stipple/ops/batch_norm.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

template <class T>
struct Operands {
  Tensor<T, Dev> x, dy;
  Tensor<float, Dev> ones = constant<float>({56}, 1), zeros = constant<float>({56}, 0);

  explicit Operands(const benchmark::State& state)
      : x(normal<T>(activations(state))), dy(normal<T>(activations(state), 2)) {}
};

/// With its own statistics x is read twice.
template <class T>
void batch_norm(benchmark::State& state) {
  Operands<T> const o(state);
  measure(state, [&] { return ops::batch_norm(o.x, o.ones, o.zeros); });
  count_elements<T>(state, 3 * o.x.size());
}

template <class T>
void batch_norm_evaluate(benchmark::State& state) {
  Operands<T> const o(state);
  measure(state, [&] { return ops::batch_norm(o.x, o.ones, o.zeros, o.zeros, o.ones); });
  count_elements<T>(state, 2 * o.x.size());
}

/// dy and x are read twice.
template <class T>
void batch_norm_backward(benchmark::State& state) {
  Operands<T> const o(state);
  auto const out = ops::batch_norm(o.x, o.ones, o.zeros);
  measure(state, [&] {
    return ops::batch_norm_backward(o.dy, o.x, o.ones, o.zeros, out.mean, out.rstd, BatchStatistics::batch);
  });
  count_elements<T>(state, 5 * o.x.size());
}

/// With GELU, as in the Berkeley U-Net.
template <class T>
void batch_norm_gelu(benchmark::State& state) {
  Operands<T> const o(state);
  measure(state, [&] { return ops::batch_norm(o.x, o.ones, o.zeros, 1e-5, Activation::gelu); });
  count_elements<T>(state, 3 * o.x.size());
}

/// z is computed again, and dy gelu'(z) is written and read besides.
template <class T>
void batch_norm_gelu_backward(benchmark::State& state) {
  Operands<T> const o(state);
  auto const out = ops::batch_norm(o.x, o.ones, o.zeros, 1e-5, Activation::gelu);
  measure(state, [&] {
    return ops::batch_norm_backward(o.dy, o.x, o.ones, o.zeros, out.mean, out.rstd, BatchStatistics::batch,
                                    Activation::gelu);
  });
  count_elements<T>(state, 6 * o.x.size());
}

}  // namespace

BENCHMARK(batch_norm<bf16>)->Apply(batches);
BENCHMARK(batch_norm<float>)->Apply(batches);
BENCHMARK(batch_norm_evaluate<bf16>)->Apply(batches);
BENCHMARK(batch_norm_backward<bf16>)->Apply(batches);
BENCHMARK(batch_norm_backward<float>)->Apply(batches);
BENCHMARK(batch_norm_gelu<bf16>)->Apply(batches);
BENCHMARK(batch_norm_gelu_backward<bf16>)->Apply(batches);
