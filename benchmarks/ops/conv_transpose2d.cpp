#include <benchmark/benchmark.h>

#include <string>

#include <stipple/ops/conv_transpose2d.hpp>

using namespace stipple;

namespace {

struct Size {
  const char* name;
  Index side, in, out;
};
// The two of the U-Nets of KAIST AI504 (kernel 4, stride 2, batch 128).
constexpr Size sizes[] = {{"7x7_112-112", 7, 112, 112}, {"14x14_56-56", 14, 56, 56}};
constexpr ConvTranspose2dSpec spec{.stride = 2, .padding = 1};

enum class Direction { forward, backward_input, backward_weight };

template <class T>
void conv_transpose2d(benchmark::State& state, Size s, Direction direction) {
  Tensor<T> const x({128, s.side, s.side, s.in}, T(1)), weight({4, 4, s.out, s.in}, T(1));
  Tensor<accumulate_t<T>> const bias({s.out}, 1);
  auto const dy = ops::conv_transpose2d(x, weight, spec);
  auto const run = [&] {
    if (direction == Direction::forward) benchmark::DoNotOptimize(ops::conv_transpose2d(x, weight, spec, bias).data());
    if (direction == Direction::backward_input)
      benchmark::DoNotOptimize(ops::conv_transpose2d_backward_input(dy, weight, x.shape(), spec).data());
    if (direction == Direction::backward_weight)
      benchmark::DoNotOptimize(ops::conv_transpose2d_backward_weight(dy, x, weight.shape(), spec).data());
  };
  run();  // its memory is the pool's from now on
  for (auto _ : state) run();
  state.counters["FLOP/s"] = benchmark::Counter(2.0 * static_cast<double>(state.iterations() * x.size() * 16 * s.out),
                                                benchmark::Counter::kIsRate);
  state.SetBytesProcessed(state.iterations() * (x.size() + dy.size()) * static_cast<Index>(sizeof(T)));
}

bool const registered = [] {
  for (auto const& s : sizes) {
    auto const add = [&](const char* name, Direction direction) {
      benchmark::RegisterBenchmark((name + std::string("<float>/") + s.name).c_str(), conv_transpose2d<float>, s,
                                   direction)
          ->UseRealTime();
      benchmark::RegisterBenchmark((name + std::string("<bf16>/") + s.name).c_str(), conv_transpose2d<bf16>, s,
                                   direction)
          ->UseRealTime();
    };
    add("conv_transpose2d", Direction::forward);
    add("conv_transpose2d_backward_input", Direction::backward_input);
    add("conv_transpose2d_backward_weight", Direction::backward_weight);
  }
  return true;
}();

}  // namespace
