#include <stipple/ops/conv2d.hpp>
#include <string>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

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
#ifdef STIPPLE_BENCHMARK_CUDA
    {"64x64_128-128_3x3_batch64", 64, 64, 128, 128, 3, {1, 1, 1, 1}},
    {"32x32_256-256_3x3_batch64", 64, 32, 256, 256, 3, {1, 1, 1, 1}},
    {"16x16_256-256_3x3_batch64", 64, 16, 256, 256, 3, {1, 1, 1, 1}},
#endif
    {"28x28_28_depthwise7x7", 128, 28, 28, 28, 7, {1, 3, 1, 28}},
    {"14x14_56_depthwise7x7", 128, 14, 56, 56, 7, {1, 3, 1, 56}},
    {"7x7_112_depthwise7x7", 128, 7, 112, 112, 7, {1, 3, 1, 112}},
};

enum class Direction { forward, after_norm, backward_input, backward_weight };

template <class T>
void conv2d(benchmark::State& state, Size s, Direction direction) {
  auto const x = normal<T>({s.n, s.side, s.side, s.in}),
             weight = normal<T>({s.kernel, s.kernel, s.in / s.spec.groups, s.out}, 2);
  auto const bias = constant<accumulate_t<T>>({s.out}, 1);
  auto const dy = ops::conv2d(x, weight, s.spec);
  if (direction == Direction::forward) measure(state, [&] { return ops::conv2d(x, weight, s.spec, bias); });
  if constexpr (ops::has_norm_conv2d<Dev>) {
    if (direction == Direction::after_norm)
      measure(state, [&] { return ops::norm_conv2d(x, ops::NormPrologue<T, Dev>{}, weight, s.spec, bias); });
  }
  if (direction == Direction::backward_input)
    measure(state, [&] { return ops::conv2d_backward_input(dy, weight, x.shape(), s.spec); });
  if (direction == Direction::backward_weight)
    measure(state, [&] { return ops::conv2d_backward_weight(dy, x, weight.shape(), s.spec); });
  // Taps that lie in the padding count as well.
  count_operations(state, 2.0 * static_cast<double>(dy.size() * weight.size() / s.out));
  count_elements<T>(state, x.size() + dy.size());
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
    if (ops::has_norm_conv2d<Dev> && s.spec.groups == 1 && s.kernel > 1) add("norm_conv2d", Direction::after_norm);
    add("conv2d_backward_input", Direction::backward_input);
    add("conv2d_backward_weight", Direction::backward_weight);
  }
  return true;
}();

}  // namespace
