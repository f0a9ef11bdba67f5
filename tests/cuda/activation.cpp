#include <limits>

#include <stipple/ops/activation.hpp>

#include "compare.hpp"

using namespace stipple;

TEMPLATE_TEST_CASE("Activations on the GPU are those of the CPU", "[activation]", float, bf16) {
  for (std::size_t kind = 0; kind < activation_names.size(); ++kind) {
    auto const activation = static_cast<Activation>(kind);
    INFO(to_text(activation));
    for (Index n : {1, 7, 8, 255, 1000, 4099}) {
      auto const x = random_tensor<TestType>({n}, 1), dy = random_tensor<TestType>({n}, 2);
      auto const x_device = to<Cuda>(x), dy_device = to<Cuda>(dy);
      require_close(ops::activate(x_device, activation), ops::activate(x, activation));
      require_close(ops::activate_backward(dy_device, x_device, activation), ops::activate_backward(dy, x, activation));
      require_close(ops::activate(displaced(x), activation), ops::activate(x, activation));
    }
  }
}

TEMPLATE_TEST_CASE("Activations on the GPU stay finite, and keep NaN", "[activation]", float, bf16) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  Tensor<TestType> const x({8}, {TestType(-1e30f), TestType(-100.0f), TestType(-20.0f), TestType(0.0f), TestType(20.0f),
                                 TestType(100.0f), TestType(1e30f), TestType(nan)});
  Tensor<TestType> const ones({8}, TestType(1.0f));
  for (std::size_t kind = 0; kind < activation_names.size(); ++kind) {
    auto const activation = static_cast<Activation>(kind);
    INFO(to_text(activation));
    require_close(ops::activate(to<Cuda>(x), activation), ops::activate(x, activation));
    require_close(ops::activate_backward(to<Cuda>(ones), to<Cuda>(x), activation),
                  ops::activate_backward(ones, x, activation));
  }
}

TEST_CASE("Activations on the GPU give the same bits in every order", "[activation]") {
  auto const x = random_tensor<float>({3001}, 3);
  auto const first = to<Cpu>(ops::activate(to<Cuda>(x), Activation::silu));
  for_each_order([&] { require_same(ops::activate(to<Cuda>(x), Activation::silu), first); });
}
