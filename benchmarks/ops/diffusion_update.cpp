#include <stipple/backend/cpu/diffusion_update.hpp>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

namespace {

/// A step of a sampler, with noise: four arrays.
void diffusion_update(benchmark::State& state) {
  auto const x = normal<float>(activations(state)), prediction = normal<float>(x.shape(), 2);
  auto const noise = normal<float>(x.shape(), 3);
  Tensor<float, Dev> out(x.shape());
  UpdateWeights<float> const weights{1.25f, -0.5f, 1, 0.25f, 0, -1.5f, {0.5f}};
  UpdateExtras<float, Dev> extras{};
  extras[0] = noise.data();
  using cpu::diffusion_update;
  measure(state, [&] {
    diffusion_update<float>(weights, x.data(), prediction.data(), extras, out.data(), nullptr, x.size());
    return out;
  });
  count_elements<float>(state, 4 * x.size());
}

/// Noising of a batch, for a network of T.
template <class T>
void mix_rows(benchmark::State& state) {
  auto const x = normal<float>(activations(state)), noise = normal<float>(x.shape(), 2);
  Index const rows = x.shape()[0], row = x.size() / rows;
  auto const a = normal<float>({rows}, 3), b = normal<float>({rows}, 4);
  Tensor<T, Dev> out(x.shape());
  using cpu::mix_rows;
  measure(state, [&] {
    mix_rows<T, float>(a.data(), x.data(), b.data(), noise.data(), out.data(), rows, row);
    return out;
  });
  count_bytes(state, x.size() * static_cast<Index>(2 * sizeof(float) + sizeof(T)));
}

}  // namespace

BENCHMARK(diffusion_update)->Apply(batches);
BENCHMARK(mix_rows<float>)->Apply(batches);
BENCHMARK(mix_rows<bf16>)->Apply(batches);
