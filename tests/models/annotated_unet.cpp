#include <stipple/models/annotated_unet.hpp>

#include "course_reference.hpp"

using stipple::AnnotatedBlock;
using stipple::AnnotatedUnet;
using stipple::AnnotatedUnetConfig;
using stipple::Rng;

namespace {
template <class T>
AnnotatedUnet<T> small(AnnotatedBlock block) {
  Rng rng(1);
  return {AnnotatedUnetConfig{.dim = 8, .block = block, .resnet_groups = 4}, rng};
}
}  // namespace

TEST_CASE("the annotated U-Net with ConvNeXt blocks agrees with PyTorch", "[models]") {
  for (std::string const name : {"ai504_convnext", "ai504_convnext_l1"}) {
    SECTION(name + " float") { course::check<float>(name, small<float>(AnnotatedBlock::convnext)); }
    SECTION(name + " double") { course::check<double>(name, small<double>(AnnotatedBlock::convnext)); }
  }
}

TEST_CASE("the annotated U-Net with ResNet blocks agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("ai504_resnet", small<float>(AnnotatedBlock::resnet)); }
  SECTION("double") { course::check<double>("ai504_resnet", small<double>(AnnotatedBlock::resnet)); }
}

TEST_CASE("the annotated U-Net trains the same with gradient checkpointing", "[models]") {
  auto const gradients = [](bool checkpointing) {
    Rng rng(1);
    stipple::Model net{AnnotatedUnet<double>({.dim = 8, .gradient_checkpointing = checkpointing}, rng)};
    stipple::Var<double> const x(stipple::ops::cast<double>(rng.normal({2, 8, 12, 1})));
    auto const y = net(x, stipple::Tensor<double>({2}, 7.0));
    y.backward(stipple::ops::cast<double>(rng.normal(y.shape())));
    return net.gradients().clone();
  };
  // Gradients of the time embedding are summed in another order.
  CHECK(max_abs_difference(gradients(false), gradients(true)) < 1e-12);
}

TEST_CASE("the annotated U-Net has the course's number of parameters", "[models]") {
  Rng rng(1);
  CHECK(stipple::count_parameters(AnnotatedUnet<float>({}, rng)) == 2996315);
  AnnotatedUnet<float> const resnet({.block = AnnotatedBlock::resnet}, rng);
  CHECK(stipple::count_parameters(resnet) == 1694929);
  CHECK(resnet.config.resnet_groups == 7);  // 8 does not divide 28, 56 and 112
}

TEST_CASE("a bf16 U-Net stays near the float one", "[models]") {
  course::check_bf16("ai504_convnext", small<float>(AnnotatedBlock::convnext),
                     small<stipple::bf16>(AnnotatedBlock::convnext), {2, 28, 28, 1}, 100.0f);
}

TEST_CASE("sample i of the U-Net does not depend on the batch", "[models]") {
  Rng rng(5);
  auto const net = small<stipple::bf16>(AnnotatedBlock::convnext);
  auto const x = stipple::ops::cast<stipple::bf16>(rng.normal({7, 28, 28, 1}));
  stipple::Tensor<float> const t({7}, 31.0f);
  stipple::NoGrad const no_grad;
  auto const all = net(stipple::Var<stipple::bf16>(x), t).value();
  for (stipple::Index i : {0, 3, 6}) {
    auto const one = net(stipple::Var<stipple::bf16>(x.slice(i, i + 1)), t.slice(i, i + 1)).value();
    for (stipple::Index j = 0; j < one.size(); ++j) REQUIRE(one.data()[j].bits == all.data()[i * one.size() + j].bits);
  }
}

TEST_CASE("the annotated U-Net refuses what does not fit", "[models]") {
  Rng rng(1);
  require_error([&] { AnnotatedUnet<float>({.dim = 2}, rng); }, "given dim 2");
  require_error([&] { AnnotatedUnet<float>({.block = AnnotatedBlock::resnet, .resnet_groups = 8}, rng); }, "8 groups");
  auto const net = small<float>(AnnotatedBlock::convnext);
  stipple::Tensor<float> const t({1}, 0.0f);
  require_error([&] { net(stipple::Var<float>(rng.normal({1, 30, 28, 1})), t); }, "multiples of 4");
  require_error([&] { net(stipple::Var<float>(rng.normal({1, 28, 28, 3})), t); }, "AnnotatedUnet");
}
