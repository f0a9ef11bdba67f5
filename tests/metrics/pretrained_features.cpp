#include <stipple/io/hash.hpp>
#include <stipple/metrics/pretrained_features.hpp>

#include "classifier_reference.hpp"
#include "common/feature_network.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

/// The picture of make.py, (1, H, W, 3) in [-1, 1].
Tensor<float> picture(Index height, Index width) {
  Tensor<float> image({1, height, width, 3});
  classifier::Uniform numbers("pixels");
  for (float& value : image.span()) value = static_cast<float>(std::floor(numbers.next() * 256) / 127.5 - 1);
  return image;
}

/// Against every 97th number of what the reference is fed.
void check_input(const std::string& pipeline, Index height, Index width, const Tensor<float>& given) {
  auto const wanted =
      classifier::stored("input." + pipeline + "." + std::to_string(height) + "x" + std::to_string(width));
  INFO(pipeline << " of " << height << " x " << width);
  REQUIRE((given.size() + 96) / 97 == wanted.size());
  double worst = 0;
  for (Index i = 0; i < wanted.size(); ++i)
    worst = std::max(worst, static_cast<double>(std::abs(given.data()[97 * i] - wanted.data()[i])));
  CHECK(worst < 2e-6);
}

/// Writes the formula's weights of a network, under names that `rename` makes.
template <class Net, class Rename>
void write_formula(SafetensorsWriter& writer, Net& net, const Rename& rename) {
  classifier::fill(net);
  for (auto const& weight : stipple::detail::weights_of(leaves_of(net)))
    std::visit([&](auto const& value) { writer.add(rename(weight.name), to_file_layout(value, weight.layout)); },
               weight.value);
}

/// StarGAN v2 cuts the network before its pools and numbers the pieces.
std::string stargan_name(const std::string& name) {
  const std::pair<const char*, const char*> pieces[] = {
      {"Conv2d_1a_3x3", "block1.0"}, {"Conv2d_2a_3x3", "block1.1"}, {"Conv2d_2b_3x3", "block1.2"},
      {"Conv2d_3b_1x1", "block2.0"}, {"Conv2d_4a_3x3", "block2.1"}, {"Mixed_5b", "block3.0"},
      {"Mixed_5c", "block3.1"},      {"Mixed_5d", "block3.2"},      {"Mixed_6a", "block3.3"},
      {"Mixed_6b", "block3.4"},      {"Mixed_6c", "block3.5"},      {"Mixed_6d", "block3.6"},
      {"Mixed_6e", "block3.7"},      {"Mixed_7a", "block4.0"},      {"Mixed_7b", "block4.1"},
      {"Mixed_7c", "block4.2"}};
  auto const dot = name.find('.');
  for (auto const& [ours, theirs] : pieces)
    if (name.substr(0, dot) == ours) return theirs + name.substr(dot);
  FAIL("no piece for " << name);
  return {};
}

void check_inception(InceptionVersion version, InceptionPooling pooling, Index classes) {
  ScratchFolder const folder;
  Rng rng(1);
  InceptionV3<float> net({.pooling = pooling}, rng);
  SafetensorsWriter writer;
  bool const afhq = version == InceptionVersion::afhq;
  write_formula(writer, net, [&](const std::string& name) { return afhq ? stargan_name(name) : name; });
  writer.add(afhq ? "final_fc.weight" : "fc.weight", Tensor<float>::zeros({classes, 1}));
  if (version == InceptionVersion::torchvision) writer.add("AuxLogits.fc.bias", Tensor<float>::zeros({classes}));
  writer.write(folder / "w.safetensors");

  auto const network = load_feature_network(folder / "w.safetensors");
  CHECK(network->name() == "inception_v3_" + to_text(version));
  CHECK(network->hash() == sha256_of_file(folder / "w.safetensors"));
  CHECK(network->dim() == 2048);
  auto const image = picture(64, 48);
  NoGrad const no_grad;
  auto const wanted = net(Var<float>(inception_input(image, version))).value();
  classifier::check_near((*network)(image), wanted, 3e-5);

  if (version != InceptionVersion::torchvision) return;
  CHECK(InceptionFeatures(folder / "w.safetensors", InceptionVersion::afhq).name() == "inception_v3_afhq");
}

}  // namespace

TEST_CASE("images reach the networks as they do in PyTorch") {
  for (auto const& [height, width] : {Size2d{64, 48}, Size2d{300, 310}}) {
    auto const image = picture(height, width);
    check_input("bilinear_299", height, width, inception_input(image, InceptionVersion::pytorch_fid));
    check_input("bilinear_299", height, width, inception_input(image, InceptionVersion::torchvision));
    check_input("afhq_256", height, width, inception_input(image, InceptionVersion::afhq));
    check_input("mobilenet_224", height, width, mobilenet_input(image));
  }
}

TEST_CASE("Inception's features with the weights of the first FID") {
  check_inception(InceptionVersion::pytorch_fid, InceptionPooling::tensorflow, 1008);
}

TEST_CASE("Inception's features with torchvision's weights") {
  check_inception(InceptionVersion::torchvision, InceptionPooling::torchvision, 1000);
}

TEST_CASE("Inception's features with the weights of the AFHQ assignments") {
  check_inception(InceptionVersion::afhq, InceptionPooling::torchvision, 3);
}

TEST_CASE("MobileNetV2's features are those of its file") {
  ScratchFolder const folder;
  Rng rng(1);
  MobilenetV2<float> net({.classes = 7}, rng);
  SafetensorsWriter writer;
  write_formula(writer, net, [](const std::string& name) { return name; });
  writer.write(folder / "w.safetensors");
  auto const network = load_feature_network(folder / "w.safetensors");
  CHECK(network->name() == "mobilenet_v2");
  CHECK(network->hash() == sha256_of_file(folder / "w.safetensors"));
  CHECK(network->dim() == 1280);
  auto const image = picture(64, 48);
  NoGrad const no_grad;
  classifier::check_near((*network)(image), net.features(Var<float>(mobilenet_input(image))).value(), 5e-5);
}

TEST_CASE("MobileNetV2 with ImageNet's weights agrees with torchvision") {
  auto const weights = example::find_mobilenet();
  if (weights.empty()) {
    WARN("skipped: no mobilenet_v2.safetensors; `scripts/get-data mobilenet_v2` fetches it");
    return;
  }
  Rng rng(1);
  MobilenetV2<float> net({}, rng);
  load_weights(weights, net);
  SafetensorsFile const file(STIPPLE_TEST_REFERENCE_DIR "/classifiers/mobilenet_v2_imagenet.safetensors");
  auto const pixels = reference::to_nhwc(file.read<std::uint8_t>("images_u8"));
  constexpr float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
  Tensor<float> x(pixels.shape());
  for (Index i = 0; i < x.size(); ++i)
    x.data()[i] = (static_cast<float>(pixels.data()[i]) / 255 - mean[i % 3]) / deviation[i % 3];
  NoGrad const no_grad;
  for (int folded = 0; folded < 2; ++folded, fold_norms(net)) {
    classifier::check_near(net.features(Var<float>(x)).value(), file.read<float>("features"), 5e-5);
    classifier::check_near(net(Var<float>(x)).value(), file.read<float>("logits"), 5e-5);
  }
}

TEST_CASE("feature networks refuse other files") {
  ScratchFolder const folder;
  require_error([&] { load_feature_network(folder / "none"); }, "cannot open");
  SafetensorsWriter writer;
  writer.add("conv.weight", Tensor<float>::zeros({2}));
  writer.write(folder / "other");
  require_error([&] { load_feature_network(folder / "other"); }, "wanted weights of Inception v3 or MobileNetV2");
  require_error([&] { InceptionFeatures{folder / "other"}; }, "wanted 'Conv2d_1a_3x3.conv.weight'");
  require_error([&] { MobilenetFeatures{folder / "other"}; }, "given no tensor named 'classifier.1.weight'");
  CHECK(inception_version_by_name("afhq") == InceptionVersion::afhq);
  require_error([] { inception_version_by_name("v3"); }, "wanted pytorch_fid, torchvision or afhq");
}
