#include <stipple/ops/resize.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// Bytes read and written: images from 14 x 14 to 28 x 28, 112 channels.
template <class T, ResizeMode mode>
void resize(benchmark::State& state) {
  auto const x = normal<T>({state.range(0), 14, 14, 112});
  ResizeSpec const spec{mode, mode == ResizeMode::bilinear};
  measure(state, [&] { return ops::resize(x, {28, 28}, spec); });
  count_elements<T>(state, 5 * x.size());
}

template <class T, ResizeMode mode>
void resize_backward(benchmark::State& state) {
  auto const dy = normal<T>({state.range(0), 28, 28, 112});
  ResizeSpec const spec{mode, mode == ResizeMode::bilinear};
  measure(state, [&] { return ops::resize_backward(dy, {14, 14}, spec); });
  count_elements<T>(state, dy.size() * 5 / 4);
}

}  // namespace

BENCHMARK_TEMPLATE(resize, float, ResizeMode::nearest)->Apply(batches);
BENCHMARK_TEMPLATE(resize, bf16, ResizeMode::nearest)->Apply(batches);
BENCHMARK_TEMPLATE(resize, bf16, ResizeMode::bilinear)->Apply(batches);
BENCHMARK_TEMPLATE(resize_backward, float, ResizeMode::nearest)->Apply(batches);
BENCHMARK_TEMPLATE(resize_backward, bf16, ResizeMode::nearest)->Apply(batches);
BENCHMARK_TEMPLATE(resize_backward, bf16, ResizeMode::bilinear)->Apply(batches);
