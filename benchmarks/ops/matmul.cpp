#include <stipple/ops/matmul.hpp>
#include <string>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

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
#ifdef STIPPLE_BENCHMARK_CUDA
    {"square_8192", 8192, 8192, 8192},
#endif
};

enum class Direction { forward, backward_input, backward_weight };

template <class T>
void linear(benchmark::State& state, Size s, Direction direction) {
  auto const x = normal<T>({s.m, s.in}), weight = normal<T>({s.in, s.out}, 2), dy = normal<T>({s.m, s.out}, 3);
  auto const bias = constant<accumulate_t<T>>({s.out}, 1);
  if (direction == Direction::forward) measure(state, [&] { return ops::linear(x, weight, bias); });
  if (direction == Direction::backward_input) measure(state, [&] { return ops::linear_backward_input(dy, weight); });
  if (direction == Direction::backward_weight) measure(state, [&] { return ops::linear_backward_weight(dy, x); });
  count_operations(state, 2.0 * static_cast<double>(s.m * s.in * s.out));
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
