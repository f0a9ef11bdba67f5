// What this GPU can do, for the other figures to be read beside: copies in its memory, and large products of bf16 and
// float matrices, which are cuBLASLt's.
#include <stipple/ops/matmul.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// Bytes read and written; argument: MiB of the copy.
void peak_copy(benchmark::State& state) {
  auto const from = normal<float>({state.range(0) << 18});
  Tensor<float, Dev> to(from.shape());
  measure(state, [&] {
    to.copy_from(from);
    return to;
  });
  count_elements<float>(state, 2 * from.size());
}

/// Square matrices; argument: their side.
template <class T>
void peak_product(benchmark::State& state) {
  Index const n = state.range(0);
  auto const a = normal<T>({n, n}), b = normal<T>({n, n}, 2);
  measure(state, [&] { return ops::matmul(a, b); });
  count_operations(state, 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n));
}

}  // namespace

BENCHMARK(peak_copy)->Arg(16)->Arg(64)->Arg(1024)->UseRealTime();
BENCHMARK(peak_product<bf16>)->Arg(2048)->Arg(8192)->UseRealTime();
BENCHMARK(peak_product<float>)->Arg(2048)->Arg(8192)->UseRealTime();
