// The U-Net of the annotated diffusion course on the GPU.
#include <stipple/models/annotated_unet.hpp>

#include "training.hpp"

using namespace stipple;

namespace {

template <class T>
auto make_net(AnnotatedBlock block, bool checkpointing = false) {
  return [=]<class D>(D, Rng& rng) {
    return AnnotatedUnet<T, D>(
        {.dim = 8, .dim_mults = {1, 2}, .channels = 1, .block = block, .gradient_checkpointing = checkpointing}, rng);
  };
}

}  // namespace

TEMPLATE_TEST_CASE("The annotated U-Net on the GPU is that of the CPU", "[models]", float, bf16) {
  double const within = std::is_same_v<TestType, float> ? 1e-4 : 5e-2;
  auto const x = random_tensor<float>({2, 4, 4, 1}, 1);
  for (auto const block : {AnnotatedBlock::convnext, AnnotatedBlock::resnet})
    require_same_prediction<TestType>(make_net<TestType>(block), x, within);
  require_same_training<TestType>(make_net<TestType>(AnnotatedBlock::convnext), x, 3, within);
}

TEST_CASE("Gradient checkpointing on the GPU changes the order of sums alone", "[models]") {
  auto const x = random_tensor<float>({2, 4, 4, 1}, 2);
  auto const kept = train_on<float, Cuda>(make_net<float>(AnnotatedBlock::resnet), x, 1);
  auto const again = train_on<float, Cuda>(make_net<float>(AnnotatedBlock::resnet, true), x, 1);
  REQUIRE(kept.losses == again.losses);
  REQUIRE(relative_difference(kept.first_gradients, again.first_gradients) <= 1e-6);
}
