#include <stipple/models/kaist_unet.hpp>

#include "course_reference.hpp"

using stipple::bf16;
using stipple::Index;
using stipple::KaistClasses;
using stipple::KaistUnet;
using stipple::KaistUnetConfig;
using stipple::Rng;
using stipple::Tensor;
using stipple::Var;

namespace {
KaistUnetConfig tiny(Index classes = 0, KaistClasses form = KaistClasses::linear) {
  return {.width = 8, .res_blocks = 1, .dropout = 0, .groups = 4, .classes = classes, .class_form = form};
}
KaistUnetConfig many_groups() { return {.width = 32, .mults = {1, 2}, .res_blocks = 1, .dropout = 0, .groups = 32}; }

template <class T>
KaistUnet<T> made(KaistUnetConfig config) {
  Rng rng(1);
  return {std::move(config), rng};
}
}  // namespace

TEST_CASE("the KAIST U-Net agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("kaist_unet", made<float>(tiny())); }
  SECTION("double") { course::check<double>("kaist_unet", made<double>(tiny())); }
}

TEST_CASE("the KAIST U-Net with 32 groups agrees with PyTorch", "[models]") {
  SECTION("float") { course::check<float>("kaist_unet_32groups", made<float>(many_groups())); }
  SECTION("double") { course::check<double>("kaist_unet_32groups", made<double>(many_groups())); }
}

TEST_CASE("the KAIST U-Net with classes agrees with PyTorch", "[models]") {
  auto const table = tiny(3, KaistClasses::table), linear = tiny(3);
  SECTION("table, float") { course::check<float>("kaist_unet_class_embedding", made<float>(table)); }
  SECTION("table, double") { course::check<double>("kaist_unet_class_embedding", made<double>(table)); }
  SECTION("linear, float") { course::check<float>("kaist_unet_class_linear", made<float>(linear)); }
  SECTION("linear, double") { course::check<double>("kaist_unet_class_linear", made<double>(linear)); }
}

TEST_CASE("the KAIST U-Net has the course's number of parameters", "[models]") {
  Rng rng(1);
  CHECK(stipple::count_parameters(KaistUnet<bf16>({}, rng)) == 58753283);
  CHECK(stipple::count_parameters(KaistUnet<bf16>({.classes = 3}, rng)) == 58755843);
  CHECK(stipple::count_parameters(KaistUnet<bf16>({.classes = 3, .class_form = KaistClasses::table}, rng)) == 58755331);
}

TEST_CASE("the KAIST U-Net starts as the course's", "[models]") {
  auto const net = made<float>(tiny());
  auto const& block = *net.down[2].block;  // 8 -> 16 channels, with attention
  auto const bounded = [](const Tensor<float>& weight, double bound) {
    CHECK(course::largest(weight) <= bound);
    CHECK(course::largest(weight) > 0.95 * bound);
  };
  bounded(block.conv1.weight.var.value(), std::sqrt(6.0 / (9 * 8 + 9 * 16)));
  bounded(block.conv2.weight.var.value(), 1e-5 * std::sqrt(6.0 / (9 * 16 + 9 * 16)));
  bounded(block.shortcut->weight.var.value(), std::sqrt(6.0 / (8 + 16)));
  bounded(block.time.weight.var.value(), std::sqrt(6.0 / (32 + 16)));
  bounded(block.attention->proj.weight.var.value(), std::sqrt(6.0 / (16 + 16)));
  CHECK(course::largest(block.conv1.bias.var.value()) == 0);
  CHECK(course::largest(block.time.bias.var.value()) == 0);
  bounded(net.tail.weight.var.value(), 1e-5 * std::sqrt(6.0 / (9 * 8 + 9 * 3)));
}

TEST_CASE("a bf16 KAIST U-Net stays near the float one", "[models]") {
  course::check_bf16("kaist_unet_class_linear", made<float>(tiny(3)), made<bf16>(tiny(3)), {2, 16, 16, 3}, 417.0f,
                     Tensor<std::int32_t>({2}, 3));
}

TEST_CASE("sample i of the KAIST U-Net does not depend on the batch", "[models]") {
  auto const c = course::config("kaist_unet_class_linear");
  auto net = made<bf16>(tiny(3));
  course::load("kaist_unet_class_linear", c, net);
  Rng rng(5);
  auto const x = stipple::ops::cast<bf16>(rng.normal({7, 8, 24, 3}));
  Tensor<float> const t({7}, 31.0f);
  Tensor<std::int32_t> labels({7});
  for (Index i = 0; i < 7; ++i) labels.data()[i] = static_cast<std::int32_t>(i % 4);
  stipple::NoGrad const no_grad;
  auto const all = net(Var<bf16>(x), t, labels).value();
  CHECK(all.shape() == x.shape());
  for (Index i : {0, 3, 6}) {
    auto const one = net(Var<bf16>(x.slice(i, i + 1)), t.slice(i, i + 1), labels.slice(i, i + 1)).value();
    CHECK(same_bits(one, all.slice(i, i + 1)));
  }
}

TEST_CASE("dropout acts in the KAIST U-Net while training", "[models]") {
  auto config = tiny();
  config.dropout = 0.5;
  auto net = made<float>(config);
  course::load("kaist_unet", course::config("kaist_unet"), net);
  Rng rng(5);
  Var<float> const x(rng.normal({1, 16, 16, 3}));
  Tensor<float> const t({1}, 31.0f);
  auto const evaluated = net(x, t).value();
  CHECK(same_bits(evaluated, net(x, t).value()));
  stipple::Training const training(rng);
  CHECK(course::relative_rms(net(x, t).value(), evaluated) > 0.01);
}

TEST_CASE("the KAIST U-Net trains the same with gradient checkpointing, in less memory", "[models]") {
  auto const c = course::config("kaist_unet_class_linear");
  Rng data(5);
  auto const x = stipple::ops::cast<double>(data.normal({4, 16, 24, 3}));
  auto const trained = [&](bool checkpointing) {
    auto config = tiny(3);
    config.dropout = 0.1;
    config.gradient_checkpointing = checkpointing;
    stipple::Model model{made<double>(config)};
    course::load("kaist_unet_class_linear", c, model);
    Rng rng(1);
    stipple::Training const training(rng);
    auto const in_use = [] { return stipple::Context::instance().allocator.report().in_use; };
    auto const before = in_use();
    auto const loss =
        stipple::mse_loss(model(Var<double>(x), Tensor<double>({4}, 31.0), Tensor<std::int32_t>({4}, 2)), x);
    auto const kept = in_use() - before;
    loss.backward();
    return std::tuple(loss.item(), model.gradients().clone(), kept);
  };
  auto const [loss, gradients, kept] = trained(false);
  auto const [same_loss, same_gradients, kept_less] = trained(true);
  CHECK(loss == same_loss);
  // Gradients of the time embedding are summed in another order.
  CHECK(max_abs_difference(gradients, same_gradients) <= 1e-12 * course::largest(gradients));
  INFO(kept << " bytes kept, and " << kept_less << " with checkpointing");
  CHECK(2 * kept_less < kept);
}

TEST_CASE("the KAIST U-Net refuses what does not fit", "[models]") {
  require_error([] { made<float>({.width = 48}); }, "given width 48 times 1 and 32 groups");
  require_error([] { made<float>({.mults = {}}); }, "0 levels");
  require_error([] { made<float>({.attention_levels = {4}}); }, "attention at level 4");
  require_error([] { made<float>({.dropout = 1}); }, "given dropout 1");
  auto const plain = made<float>(tiny()), labelled = made<float>(tiny(3));
  Rng rng(1);
  Var<float> const x(rng.normal({2, 16, 16, 3}));
  Tensor<float> const t({2}, 5.0f);
  require_error([&] { plain(Var<float>(rng.normal({2, 20, 16, 3})), t); }, "multiples of 8");
  require_error([&] { plain(Var<float>(rng.normal({2, 16, 16, 1})), t); }, "KaistUnet: given x");
  require_error([&] { plain(x, Tensor<float>({1}, 5.0f)); }, "one number a sample");
  require_error([&] { plain(x, t, Tensor<std::int32_t>({2}, 1)); }, "given labels, wanted none");
  require_error([&] { labelled(x, t); }, "wanted labels too");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({3}, 1)); }, "wanted one a sample");
  require_error([&] { labelled(x, t, Tensor<std::int32_t>({2}, 4)); }, "given id 4");
}
