// The network of the point sets on the GPU.
#include <stipple/models/time_linear_net.hpp>

#include "training.hpp"

using namespace stipple;

namespace {

template <class T>
auto make_net() {
  return []<class D>(D, Rng& rng) { return TimeLinearNet<T, D>({2, 24, 24, 2}, rng); };
}

}  // namespace

TEMPLATE_TEST_CASE("The TimeLinear network on the GPU is that of the CPU", "[models]", float, bf16) {
  double const within = std::is_same_v<TestType, float> ? 1e-5 : 2e-2;
  auto const x = random_tensor<float>({9, 2}, 1);
  require_same_prediction<TestType>(make_net<TestType>(), x, within);
  require_same_training<TestType>(make_net<TestType>(), x, 10, within);
}

TEST_CASE("Training on the GPU does not depend on the order of its threads", "[models]") {
  auto const x = random_tensor<float>({9, 2}, 2);
  Tensor<float> weights;
  for_each_order([&] {
    auto const trace = train_on<float, Cuda>(make_net<float>(), x, 2);
    if (!weights.defined()) weights = trace.weights;
    REQUIRE(max_abs_difference(trace.weights, weights) == 0);
  });
}
