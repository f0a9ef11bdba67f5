#include <stipple/autograd/pool.hpp>
#include <stipple/models/inception_v3.hpp>

#include "classifier_reference.hpp"

using namespace stipple;

namespace {

/// Every block, and the features, plain and with folded norms.
void check_inception(const std::string& reference, InceptionPooling pooling) {
  Rng rng(1);
  InceptionV3<float> net({.pooling = pooling}, rng);
  classifier::fill(net);
  NoGrad const no_grad;
  Var<float> const x(classifier::images(2, 107, 139));
  auto h = x;
  Index stage = 0;
  for (std::size_t i = 0; i < net.stem.size(); ++i) {
    h = net.stem[i](h);
    classifier::check_stage(reference, stage++, h.value());
    if (i != 2 && i != 4) continue;
    h = max_pool(h, {3, 2, 0});
    classifier::check_stage(reference, stage++, h.value());
  }
  for (auto const& block : net.blocks) {
    h = block(h);
    classifier::check_stage(reference, stage++, h.value());
  }
  CHECK(stage == 18);
  auto const wanted = classifier::stored(reference + ".features");
  classifier::check_near(net(x).value(), wanted, 3e-5);

  fold_norms(net);
  classifier::check_near(net(x).value(), wanted, 3e-5);
  for_each_leaf(net, [](const std::string& name, auto const&) { CHECK(name.find(".bn.") == std::string::npos); });
}

}  // namespace

TEST_CASE("Inception v3 agrees with torchvision", "[models]") {
  check_inception("inception_torchvision", InceptionPooling::torchvision);
}

TEST_CASE("Inception v3 with TensorFlow's pooling agrees with the first FID's network", "[models]") {
  check_inception("inception_tensorflow", InceptionPooling::tensorflow);
}

TEST_CASE("Inception v3 has the published size", "[models]") {
  Rng rng(1);
  // torchvision counts 27,161,264 with the classifier, 2048 * 1000 + 1000, and the auxiliary one, 3,326,696.
  CHECK(count_parameters(InceptionV3<bf16>({}, rng)) == 27161264 - 2049000 - 3326696);
}

TEST_CASE("Inception v3 refuses what does not fit", "[models]") {
  Rng rng(1);
  InceptionV3<float> const net({}, rng);
  require_error([&] { net(Var<float>(Tensor<float>::zeros({1, 74, 75, 3}))); }, "of at least 75 x 75");
  require_error([&] { net(Var<float>(Tensor<float>::zeros({1, 75, 75, 1}))); }, "given x (1, 75, 75, 1)");
  NoGrad const no_grad;
  CHECK(net(Var<float>(Tensor<float>::zeros({1, 75, 75, 3}))).shape() == Shape{1, 2048});
}
