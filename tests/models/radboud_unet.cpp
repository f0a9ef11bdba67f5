#include <stipple/models/radboud_unet.hpp>

#include "course_reference.hpp"

using stipple::bf16;
using stipple::Index;
using stipple::RadboudUnet;
using stipple::RadboudUnetConfig;
using stipple::Rng;
using stipple::Tensor;
using stipple::Var;

namespace {
template <class T>
RadboudUnet<T> small(Index classes = 0) {
  Rng rng(1);
  return {RadboudUnetConfig{.width = 8, .classes = classes}, rng};
}
}  // namespace

TEST_CASE("the Radboud U-Net agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("radboud_unet", small<float>()); }
  SECTION("double") { course::check<double>("radboud_unet", small<double>()); }
}

TEST_CASE("the conditional Radboud U-Net agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("radboud_unet_conditional", small<float>(10)); }
  SECTION("double") { course::check<double>("radboud_unet_conditional", small<double>(10)); }
}

TEST_CASE("the Radboud U-Net has the course's number of parameters", "[models]") {
  Rng rng(1);
  CHECK(stipple::count_parameters(RadboudUnet<float>({}, rng)) == 810561);
  CHECK(stipple::count_parameters(RadboudUnet<bf16>({.classes = 10}, rng)) == 811201);
}

TEST_CASE("the Radboud U-Net's attention starts as PyTorch's", "[models]") {
  Rng rng(1);
  RadboudUnet<float> const net({}, rng);
  auto const& qkv = net.attention1.qkv;
  double const bound = std::sqrt(6.0 / (64 + 3 * 64));
  CHECK(course::largest(qkv.weight.var.value()) <= bound);
  CHECK(course::largest(qkv.weight.var.value()) > 0.99 * bound);
  CHECK(course::largest(qkv.bias.var.value()) == 0);
  CHECK(course::largest(net.attention1.out.bias.var.value()) == 0);
}

TEST_CASE("a bf16 Radboud U-Net stays near the float one", "[models]") {
  course::check_bf16("radboud_unet_conditional", small<float>(10), small<bf16>(10), {2, 32, 32, 1}, 417.0f,
                     Tensor<std::int32_t>({2}, 3));
}

TEST_CASE("sample i of the Radboud U-Net does not depend on the batch", "[models]") {
  Rng rng(5);
  auto const net = small<bf16>(10);
  auto const x = stipple::ops::cast<bf16>(rng.normal({7, 16, 24, 1}));
  Tensor<float> const t({7}, 31.0f);
  Tensor<std::int32_t> labels({7});
  for (Index i = 0; i < 7; ++i) labels.data()[i] = static_cast<std::int32_t>(i);
  auto const recorded = net(Var<bf16>(x), t, labels).value();
  stipple::NoGrad const no_grad;
  auto const all = net(Var<bf16>(x), t, labels).value();
  CHECK(same_bits(recorded, all));  // the one embeds every step, the other one for all
  for (Index i : {0, 3, 6}) {
    auto const one = net(Var<bf16>(x.slice(i, i + 1)), t.slice(i, i + 1), labels.slice(i, i + 1)).value();
    CHECK(same_bits(one, all.slice(i, i + 1)));
  }
}

TEST_CASE("the Radboud U-Net refuses what does not fit", "[models]") {
  Rng rng(1);
  require_error([&] { RadboudUnet<float>({.width = 7}, rng); }, "given width 7");
  require_error([&] { RadboudUnet<float>({.classes = -1}, rng); }, "-1 classes");
  auto const plain = small<float>(), labelled = small<float>(10);
  Var<float> const x(rng.normal({2, 32, 32, 1}));
  Tensor<float> const t({2}, 5.0f);
  require_error([&] { plain(Var<float>(rng.normal({2, 28, 28, 1})), t); }, "multiples of 8");
  require_error([&] { plain(Var<float>(rng.normal({2, 32, 32, 3})), t); }, "RadboudUnet: given x");
  require_error([&] { plain(x, Tensor<float>({1}, 5.0f)); }, "one number a sample");
  require_error([&] { plain(x, t, Tensor<std::int32_t>({2}, 1)); }, "given labels, wanted none");
  require_error([&] { labelled(x, t); }, "wanted labels too");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({3}, 1)); }, "wanted one a sample");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({2}, 10)); }, "given id 10");
}
