#include <stipple/backend/cpu/normals.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// Written alone; arithmetic may be the limit.
void normals(benchmark::State& state) {
  Tensor<float, Dev> out(activations(state));
  Index const rows = out.shape()[0], row = out.size() / rows;
  DrawKey const key(1, Purpose::noise, 0);
  using cpu::fill_normals;
  measure(state, [&] {
    fill_normals(key, 0, out.data(), rows, row);
    return out;
  });
  count_elements<float>(state, out.size());
}

#ifdef STIPPLE_BENCHMARK_CUDA
void uniforms(benchmark::State& state) {
  Tensor<float, Dev> out(activations(state));
  Index const rows = out.shape()[0], row = out.size() / rows;
  DrawKey const key(1, Purpose::timestep, 0);
  measure(state, [&] {
    cuda::fill_uniforms(key, 0, -1, 1, out.data(), rows, row);
    return out;
  });
  count_elements<float>(state, out.size());
}
#endif

}  // namespace

BENCHMARK(normals)->Apply(batches);
#ifdef STIPPLE_BENCHMARK_CUDA
BENCHMARK(uniforms)->Apply(batches);
#endif
