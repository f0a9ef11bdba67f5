#include <stipple/io/hash.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/metrics/classifier_features.hpp>
#include <stipple/ops/pad.hpp>

#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

TEST_CASE("the features of a classifier are what its last layer sees") {
  ScratchFolder const folder;
  auto const path = folder / "classifier.safetensors";
  Rng rng(1);
  ImageClassifier<float> const net({}, rng);
  save_weights(path, net);
  ClassifierFeatures const network(path);
  CHECK(network.name() == "image_classifier");
  CHECK(network.hash() == sha256_of_file(path));
  CHECK(network.channels() == 1);
  CHECK(network.dim() == 64);
  auto const images = rng.uniform({5, 28, 28, 1}, -1, 1);
  CHECK(max_abs_difference(network(images), net.features(Var<float>(images)).value()) < 1e-5);
  auto const classes = net.classify(images), found = network.classify(images);
  for (Index i = 0; i < 5; ++i) CHECK(found.data()[i] == classes.data()[i]);

  auto const padded = ops::pad(images, {2, 2, 2, 2}, 0.5);  // whatever is in the padding
  CHECK(max_abs_difference(network(padded), network(images)) == 0);
  CHECK(network.classify(padded).data()[4] == classes.data()[4]);
}

TEST_CASE("the features of a classifier: files and images that are none") {
  ScratchFolder const folder;
  Rng rng(1);
  auto const other = folder / "other.safetensors", wide = folder / "wide.safetensors", good = folder / "good";
  save_weights(other, Linear<float>(3, 4, rng));
  save_weights(wide, ImageClassifier<float>({.width = 16}, rng));
  save_weights(good, ImageClassifier<float>({}, rng));
  require_error([&] { ClassifierFeatures(folder / "missing"); }, "missing");
  require_error([&] { ClassifierFeatures{other}; }, "is not of this network");
  require_error([&] { ClassifierFeatures{wide}; }, "is not of this network");
  put_bytes(folder / "text", "no safetensors");
  require_error([&] { ClassifierFeatures(folder / "text"); }, "text");
  ClassifierFeatures const network(good);
  require_error([&] { network(rng.uniform({2, 30, 28, 1}, -1, 1)); }, "given images of 30 x 28 pixels");
  require_error([&] { network(rng.uniform({2, 28, 28, 3}, -1, 1)); }, "wanted (N, H, W, 1)");
  require_error([&] { network.classify(Tensor<float>({28, 28})); }, "wanted (N, H, W, 1)");
}
