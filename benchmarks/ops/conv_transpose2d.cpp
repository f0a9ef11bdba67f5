#include <stipple/ops/conv_transpose2d.hpp>
#include <string>

#include "bench.hpp"

using namespace stipple;
using namespace stipple::bench;

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
  auto const x = normal<T>({128, s.side, s.side, s.in}), weight = normal<T>({4, 4, s.out, s.in}, 2);
  auto const bias = constant<accumulate_t<T>>({s.out}, 1);
  auto const dy = ops::conv_transpose2d(x, weight, spec);
  if (direction == Direction::forward) measure(state, [&] { return ops::conv_transpose2d(x, weight, spec, bias); });
  if (direction == Direction::backward_input)
    measure(state, [&] { return ops::conv_transpose2d_backward_input(dy, weight, x.shape(), spec); });
  if (direction == Direction::backward_weight)
    measure(state, [&] { return ops::conv_transpose2d_backward_weight(dy, x, weight.shape(), spec); });
  count_operations(state, 2.0 * static_cast<double>(x.size() * 16 * s.out));
  count_elements<T>(state, x.size() + dy.size());
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
