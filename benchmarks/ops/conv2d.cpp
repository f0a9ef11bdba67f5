#include <benchmark/benchmark.h>

#include <string>

#include <stipple/ops/conv2d.hpp>

using namespace stipple;

namespace {

struct Size {
  const char* name;
  Index n, side, in, out, kernel;
  Conv2dSpec spec;
};
// Of the U-Nets of KAIST AI504 (batch 128) and of KAIST's image networks (64 x 64).
const Size sizes[] = {
    {"28x28_28-56_3x3", 128, 28, 28, 56, 3, {1, 1, 1, 1}},
    {"28x28_56-28_3x3", 128, 28, 56, 28, 3, {1, 1, 1, 1}},
    {"14x14_112-56_3x3", 128, 14, 112, 56, 3, {1, 1, 1, 1}},
    {"7x7_224-112_3x3", 128, 7, 224, 112, 3, {1, 1, 1, 1}},
    {"28x28_28-28_4x4_stride2", 128, 28, 28, 28, 4, {2, 1, 1, 1}},
    {"28x28_28-384_1x1", 128, 28, 28, 384, 1, {1, 0, 1, 1}},
    {"64x64_128-128_3x3", 4, 64, 128, 128, 3, {1, 1, 1, 1}},
    {"28x28_28_depthwise7x7", 128, 28, 28, 28, 7, {1, 3, 1, 28}},
    {"14x14_56_depthwise7x7", 128, 14, 56, 56, 7, {1, 3, 1, 56}},
    {"7x7_112_depthwise7x7", 128, 7, 112, 112, 7, {1, 3, 1, 112}},
};

enum class Direction { forward, after_norm, backward_input, backward_weight };

template <class T>
void conv2d(benchmark::State& state, Size s, Direction direction) {
  Tensor<T> const x({s.n, s.side, s.side, s.in}, T(1)), weight({s.kernel, s.kernel, s.in / s.spec.groups, s.out}, T(1));
  Tensor<accumulate_t<T>> const bias({s.out}, 1);
  auto const dy = ops::conv2d(x, weight, s.spec);
  auto const run = [&] {
    if (direction == Direction::forward) benchmark::DoNotOptimize(ops::conv2d(x, weight, s.spec, bias).data());
    if (direction == Direction::after_norm)
      benchmark::DoNotOptimize(ops::norm_conv2d(x, ops::NormPrologue<T, Cpu>{}, weight, s.spec, bias).y.data());
    if (direction == Direction::backward_input)
      benchmark::DoNotOptimize(ops::conv2d_backward_input(dy, weight, x.shape(), s.spec).data());
    if (direction == Direction::backward_weight)
      benchmark::DoNotOptimize(ops::conv2d_backward_weight(dy, x, weight.shape(), s.spec).data());
  };
  run();  // its memory is the pool's from now on
  for (auto _ : state) run();
  // Taps that lie in the padding count as well.
  state.counters["FLOP/s"] = benchmark::Counter(
      2.0 * static_cast<double>(state.iterations() * dy.size() * weight.size() / s.out), benchmark::Counter::kIsRate);
  state.SetBytesProcessed(state.iterations() * (x.size() + dy.size()) * static_cast<Index>(sizeof(T)));
}

bool const registered = [] {
  for (auto const& s : sizes) {
    auto const add = [&](const char* name, Direction direction) {
      benchmark::RegisterBenchmark((name + std::string("<float>/") + s.name).c_str(), conv2d<float>, s, direction)
          ->UseRealTime();
      benchmark::RegisterBenchmark((name + std::string("<bf16>/") + s.name).c_str(), conv2d<bf16>, s, direction)
          ->UseRealTime();
    };
    add("conv2d", Direction::forward);
    if (s.spec.groups == 1 && s.kernel > 1) add("norm_conv2d", Direction::after_norm);
    add("conv2d_backward_input", Direction::backward_input);
    add("conv2d_backward_weight", Direction::backward_weight);
  }
  return true;
}();

}  // namespace
