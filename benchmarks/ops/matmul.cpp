#include <benchmark/benchmark.h>

#include <string>

#include <stipple/ops/matmul.hpp>

using namespace stipple;

namespace {

/// x (m, in) times weight (in, out).
struct Size {
  const char* name;
  Index m, in, out;
};
constexpr Size sizes[] = {
    {"swiss_roll_128x128x128", 128, 128, 128}, {"swiss_roll_time_128x256x128", 128, 256, 128},
    {"ai504_time_128x112x224", 128, 112, 224}, {"attention_6272x112x128", 128 * 49, 112, 128},
    {"square_1024", 1024, 1024, 1024},
};

enum class Direction { forward, backward_input, backward_weight };

template <class T>
void linear(benchmark::State& state, Size s, Direction direction) {
  Tensor<T> const x({s.m, s.in}, T(1)), weight({s.in, s.out}, T(1)), dy({s.m, s.out}, T(1));
  Tensor<accumulate_t<T>> const bias({s.out}, 1);
  auto const run = [&] {
    if (direction == Direction::forward) benchmark::DoNotOptimize(ops::linear(x, weight, bias).data());
    if (direction == Direction::backward_input) benchmark::DoNotOptimize(ops::linear_backward_input(dy, weight).data());
    if (direction == Direction::backward_weight) benchmark::DoNotOptimize(ops::linear_backward_weight(dy, x).data());
  };
  run();  // its memory is the pool's from now on
  for (auto _ : state) run();
  state.counters["FLOP/s"] = benchmark::Counter(2.0 * static_cast<double>(state.iterations() * s.m * s.in * s.out),
                                                benchmark::Counter::kIsRate);
}

bool const registered = [] {
  for (auto const& s : sizes) {
    auto const add = [&](const char* name, Direction direction) {
      benchmark::RegisterBenchmark((name + std::string("<float>/") + s.name).c_str(), linear<float>, s, direction)
          ->UseRealTime();
      benchmark::RegisterBenchmark((name + std::string("<bf16>/") + s.name).c_str(), linear<bf16>, s, direction)
          ->UseRealTime();
    };
    add("linear", Direction::forward);
    add("linear_backward_input", Direction::backward_input);
    add("linear_backward_weight", Direction::backward_weight);
  }
  return true;
}();

}  // namespace
