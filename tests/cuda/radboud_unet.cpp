// The attention U-Net of Radboud's deep learning course on the GPU.
#include <stipple/models/radboud_unet.hpp>

#include "training.hpp"

using namespace stipple;

namespace {

template <class T>
auto make_net() {
  return []<class D>(D, Rng& rng) { return RadboudUnet<T, D>({.width = 4, .channels = 1, .classes = 3}, rng); };
}

}  // namespace

TEMPLATE_TEST_CASE("The Radboud U-Net on the GPU is that of the CPU", "[models]", float, bf16) {
  double const within = std::is_same_v<TestType, float> ? 1e-4 : 5e-2;
  auto const x = random_tensor<float>({2, 8, 8, 1}, 1);
  Tensor<std::int32_t> const labels({2}, {2, 0});
  require_same_prediction<TestType>(make_net<TestType>(), x, within, labels);
  require_same_training<TestType>(make_net<TestType>(), x, 3, within, labels);
}
