#include <stipple/ops/loss.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

constexpr ops::LossSpec spec{ops::LossKind::smooth_l1, 1};

/// Images of 64 x 64 x 3.
template <class T>
void loss(benchmark::State& state) {
  auto const x = normal<T>({state.range(0), 64, 64, 3});
  auto const y = normal<accumulate_t<T>>(x.shape(), 2);
  measure(state, [&] { return ops::loss("loss", x, y, spec); });
  count_bytes(state, x.size() * static_cast<Index>(sizeof(T) + sizeof(accumulate_t<T>)));
}

template <class T>
void loss_backward(benchmark::State& state) {
  auto const x = normal<T>({state.range(0), 64, 64, 3});
  auto const y = normal<accumulate_t<T>>(x.shape(), 2), dy = constant<accumulate_t<T>>({}, 1);
  measure(state, [&] { return ops::loss_backward<T>("loss", dy, x, y, spec); });
  count_bytes(state, x.size() * static_cast<Index>(2 * sizeof(T) + sizeof(accumulate_t<T>)));
}

/// 128 two-dimensional points.
void loss_small(benchmark::State& state) {
  auto const x = normal<float>({128, 2}), y = normal<float>({128, 2}, 2);
  measure(state, [&] { return ops::loss("loss", x, y, {}); });
}

void cross_entropy(benchmark::State& state) {
  auto const x = normal<float>({state.range(0), 10});
  auto const ids = labels(state.range(0), 10);
  measure(state, [&] { return ops::cross_entropy(x, ids); });
  state.SetItemsProcessed(state.iterations() * x.dim(0));
}

}  // namespace

BENCHMARK(loss<float>)->Apply(batches);
BENCHMARK(loss<bf16>)->Apply(batches);
BENCHMARK(loss_backward<float>)->Apply(batches);
BENCHMARK(loss_backward<bf16>)->Apply(batches);
BENCHMARK(loss_small)->UseRealTime();
BENCHMARK(cross_entropy)->Apply(batches);
