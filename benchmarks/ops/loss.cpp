#include <benchmark/benchmark.h>

#include <stipple/ops/loss.hpp>
#include <stipple/tensor/rng.hpp>

using namespace stipple;

namespace {

const Shape images{128, 64, 64, 3};

template <class T>
void loss(benchmark::State& state) {
  Tensor<T> const x(images, T(1));
  Tensor<accumulate_t<T>> const y(images, 2);
  for (auto _ : state) benchmark::DoNotOptimize(ops::loss("loss", x, y, {ops::LossKind::smooth_l1, 1}).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(sizeof(T) + sizeof(accumulate_t<T>)));
}

template <class T>
void loss_backward(benchmark::State& state) {
  Tensor<T> const x(images, T(1));
  Tensor<accumulate_t<T>> const y(images, 2), dy({}, 1);
  for (auto _ : state)
    benchmark::DoNotOptimize(ops::loss_backward<T>("loss", dy, x, y, {ops::LossKind::smooth_l1, 1}).data());
  state.SetBytesProcessed(state.iterations() * x.size() * static_cast<Index>(2 * sizeof(T) + sizeof(accumulate_t<T>)));
}

/// 128 two-dimensional points.
void loss_small(benchmark::State& state) {
  Tensor<float> const x({128, 2}, 1.0f), y({128, 2}, 2.0f);
  for (auto _ : state) benchmark::DoNotOptimize(ops::loss("loss", x, y, {}).data());
}

void cross_entropy(benchmark::State& state) {
  Tensor<float> const x({128, 10}, 1.0f);
  auto const labels = Rng(1).integers({128}, 0, 10);
  for (auto _ : state) benchmark::DoNotOptimize(ops::cross_entropy(x, labels).loss.data());
  state.SetItemsProcessed(state.iterations() * 128);
}

}  // namespace

BENCHMARK_TEMPLATE(loss, float);
BENCHMARK_TEMPLATE(loss, bf16);
BENCHMARK_TEMPLATE(loss_backward, float);
BENCHMARK_TEMPLATE(loss_backward, bf16);
BENCHMARK(loss_small);
BENCHMARK(cross_entropy);
