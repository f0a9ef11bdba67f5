#include <stipple/autograd/loss.hpp>
#include <stipple/models/image_classifier.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>

#include "check.hpp"

using namespace stipple;

TEST_CASE("the image classifier has its parameters, and logits of the features that it shows", "[models]") {
  Rng rng(1);
  ImageClassifier<float> const net({}, rng);
  CHECK(count_parameters(net) == 139818);
  auto const check = [&](Index height, Index width) {
    Var<float> const x(rng.normal({3, height, width, 1}));
    auto const features = net.features(x);
    REQUIRE(features.shape() == Shape{3, 64});
    for (float const value : features.value().span()) CHECK(value >= 0);
    CHECK(max_abs_difference(net(x).value(), net.head(features).value()) == 0);
    // an image by itself
    CHECK(max_abs_difference(net.features(Var<float>(x.value().slice(1, 2))).value(), features.value().slice(1, 2)) ==
          0);
  };
  check(28, 28);
  check(2, 5);
}

TEST_CASE("the image classifier learns to tell two kinds of images apart", "[models]") {
  Rng rng(2);
  Model net(ImageClassifier<float>({.channels = 2, .width = 4, .classes = 3}, rng));
  Tensor<std::int32_t> labels({12});
  Tensor<float> images = rng.uniform({12, 9, 7, 2}, -0.2f, 0.2f);
  for (Index i = 0; i < 12; ++i) {
    labels.data()[i] = static_cast<std::int32_t>(i % 3);
    auto image = images.slice(i, i + 1);
    for (Index j = 0; j < image.size(); ++j)
      if (j / 2 % 7 % 3 == i % 3) image.data()[j] += 0.7f;  // columns of its class are light
  }
  Adam const adam{{.learning_rate = 1e-2}};
  for (int step = 0; step < 40; ++step) {
    Training const training(rng);
    cross_entropy_loss(net(Var<float>(images)), labels).backward();
    adam.step(net);
  }
  auto const classes = net.net().classify(images);
  REQUIRE(classes.shape() == Shape{12});
  for (Index i = 0; i < 12; ++i) CHECK(classes.data()[i] == labels.data()[i]);
}

TEST_CASE("the image classifier refuses what does not fit", "[models]") {
  Rng rng(1);
  require_error([&] { ImageClassifier<float>({.classes = 1}, rng); }, "and 1 classes");
  ImageClassifier<float> const net({}, rng);
  require_error([&] { net(Var<float>(rng.normal({2, 28, 28, 3}))); }, "ImageClassifier: given images (2, 28, 28, 3)");
  require_error([&] { net.classify(rng.normal({2, 1, 28, 1})); }, "of 2 x 2 or more");
}
