#include <stipple/models/mobilenet_v2.hpp>

#include "classifier_reference.hpp"

using namespace stipple;

TEST_CASE("MobileNetV2 agrees with torchvision", "[models]") {
  Rng rng(1);
  MobilenetV2<float> net({}, rng);
  classifier::fill(net);
  NoGrad const no_grad;
  Var<float> const x(classifier::images(2, 75, 53));
  auto h = net.ends.front()(x);
  classifier::check_stage("mobilenet_v2", 0, h.value());
  for (std::size_t i = 0; i < net.blocks.size(); ++i) {
    h = net.blocks[i](h);
    classifier::check_stage("mobilenet_v2", static_cast<Index>(i) + 1, h.value());
  }
  classifier::check_stage("mobilenet_v2", 18, net.ends.back()(h).value());

  auto const features = classifier::stored("mobilenet_v2.features"), logits = classifier::stored("mobilenet_v2.logits");
  classifier::check_near(net.features(x).value(), features, 5e-5);
  classifier::check_near(net(x).value(), logits, 5e-5);
  fold_norms(net);
  classifier::check_near(net.features(x).value(), features, 5e-5);
  classifier::check_near(net(x).value(), logits, 5e-5);
}

TEST_CASE("MobileNetV2 has the published size", "[models]") {
  Rng rng(1);
  CHECK(count_parameters(MobilenetV2<float>({}, rng)) == 3504872);
  CHECK(count_parameters(MobilenetV2<float>({.classes = 10}, rng)) == 3504872 - 990 * 1281);
}

TEST_CASE("MobileNetV2 refuses what does not fit", "[models]") {
  Rng rng(1);
  MobilenetV2<float> const net({.classes = 2}, rng);
  require_error([&] { net(Var<float>(Tensor<float>::zeros({1, 32, 32, 1}))); }, "wanted images (N, H, W, 3)");
  require_error([&] { MobilenetV2<float>({.classes = 0}, rng); }, "given 0 classes");
}
