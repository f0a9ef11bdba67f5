// The U-Net of KAIST's CS479 on the GPU, with dropout and classes.
#include <stipple/models/kaist_unet.hpp>

#include "training.hpp"

using namespace stipple;

namespace {

template <class T>
auto make_net(KaistClasses form) {
  return [=]<class D>(D, Rng& rng) {
    return KaistUnet<T, D>({.width = 8,
                            .mults = {1, 2},
                            .attention_levels = {1},
                            .res_blocks = 1,
                            .groups = 4,
                            .channels = 3,
                            .classes = 3,
                            .class_form = form},
                           rng);
  };
}

}  // namespace

TEMPLATE_TEST_CASE("The KAIST U-Net on the GPU is that of the CPU", "[models]", float, bf16) {
  double const within = std::is_same_v<TestType, float> ? 1e-4 : 5e-2;
  auto const x = random_tensor<float>({2, 4, 4, 3}, 1);
  Tensor<std::int32_t> const labels({2}, {0, 3});
  for (auto const form : {KaistClasses::linear, KaistClasses::table})
    require_same_prediction<TestType>(make_net<TestType>(form), x, within, labels);
  int const steps = std::is_same_v<TestType, float> ? 10 : 3;
  require_same_training<TestType>(make_net<TestType>(KaistClasses::table), x, steps, within, labels);
}
