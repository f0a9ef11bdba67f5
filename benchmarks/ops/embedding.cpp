#include <stipple/ops/embedding.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// A batch of labels of 10 classes, 256 features.
void embedding(benchmark::State& state) {
  auto const table = normal<bf16>({10, 256});
  auto const ids = labels(state.range(0), 10);
  measure(state, [&] { return ops::embedding(table, ids); });
  count_elements<bf16>(state, ids.size() * 256 * 2);
}

void embedding_backward(benchmark::State& state) {
  auto const ids = labels(state.range(0), 10);
  auto const dy = normal<bf16>({ids.size(), 256});
  measure(state, [&] { return ops::embedding_backward(dy, ids, 10); });
  count_elements<bf16>(state, dy.size());
}

}  // namespace

BENCHMARK(embedding)->Apply(batches);
BENCHMARK(embedding_backward)->Apply(batches);
