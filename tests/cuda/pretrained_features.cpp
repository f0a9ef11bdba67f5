// Feature networks on the GPU: as on the CPU but for rounding, and as elsewhere.
#include <stipple/metrics/pretrained_features.hpp>

#include "classifier_reference.hpp"
#include "compare.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

/// A picture of an odd size, (1, H, W, 3) in [-1, 1].
Tensor<float> picture() {
  Tensor<float> image({1, 37, 52, 3});
  classifier::Uniform numbers("pixels");
  for (float& value : image.span()) value = static_cast<float>(2 * numbers.next() - 1);
  return image;
}

}  // namespace

TEST_CASE("MobileNetV2's features on the GPU are those of the CPU", "[models]") {
  ScratchFolder const folder;
  auto const weights = folder / "w.safetensors";
  Rng rng(1);
  MobilenetV2<float> net({.classes = 3}, rng);
  classifier::fill(net);
  save_weights(weights, net);
  auto const gpu = load_feature_network<Cuda>(weights), cpu = load_feature_network(weights);
  CHECK(gpu->name() == "mobilenet_v2");
  CHECK(gpu->hash() == cpu->hash());
  classifier::check_near((*gpu)(picture()), (*cpu)(picture()), 2e-5);
}

// With that network's pooling, which has every kind: torchvision's averages count the padding, which pools' tests have.
TEST_CASE("Inception v3 on the GPU agrees with the first FID's network", "[reference][models]") {
  Rng rng(1);
  InceptionV3<float, Cuda> net({.pooling = InceptionPooling::tensorflow}, rng);
  classifier::fill<Cuda>(net);
  fold_norms(net);
  NoGrad const no_grad;
  auto const features = net(Var<float, Cuda>(to<Cuda>(classifier::images(2, 107, 139)))).value();
  classifier::check_near(to<Cpu>(features), classifier::stored("inception_tensorflow.features"), 3e-5);
}
