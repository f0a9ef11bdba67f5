// Weights in PyTorch's layouts, and what is said about files of other networks.
#include <stipple/io/weights.hpp>
#include <stipple/optim/adam.hpp>

#include "check.hpp"
#include "invariance.hpp"
#include "scratch_folder.hpp"
#include "tiny_net.hpp"

using namespace stipple;

namespace {

/// One parameter of each layout.
template <Real T, Device D>
struct Layouts {
  Parameter<T, D> plain, linear, conv;

  explicit Layouts(std::uint64_t seed)
      : plain(random_tensor<T>({7}, seed)),
        linear(random_tensor<T>({3, 5}, seed + 1), Layout::linear),
        conv(random_tensor<T>({2, 3, 4, 5}, seed + 2), Layout::conv) {}
  static void each(auto& self, auto&& f) {
    f("plain", self.plain);
    f("linear", self.linear);
    f("conv", self.conv);
  }
};

template <class T>
TinyNet<T, Cpu> tiny_net(std::uint64_t seed, Index channels = 5) {
  Rng rng(seed);
  return TinyNet<T, Cpu>(channels, rng);
}

}  // namespace

TEST_CASE("save_weights: PyTorch's names, shapes and order of elements") {
  ScratchFolder const folder;
  Layouts<float, Cpu> const net(1);
  save_weights(folder / "w", net);
  SafetensorsFile const file(folder / "w");
  CHECK(file.names() == std::vector<std::string>{"conv", "linear", "plain"});
  auto const linear = file.read<float>("linear");
  REQUIRE(linear.shape() == Shape{5, 3});
  for (Index i = 0; i < 3; ++i)
    for (Index o = 0; o < 5; ++o) CHECK(linear.data()[o * 3 + i] == net.linear.var.value().data()[i * 5 + o]);
  auto const conv = file.read<float>("conv");
  REQUIRE(conv.shape() == Shape{5, 4, 2, 3});
  for (Index h = 0; h < 2; ++h)
    for (Index w = 0; w < 3; ++w)
      for (Index i = 0; i < 4; ++i)
        for (Index o = 0; o < 5; ++o)
          CHECK(conv.data()[((o * 4 + i) * 2 + h) * 3 + w] ==
                net.conv.var.value().data()[((h * 3 + w) * 4 + i) * 5 + o]);
}

TEMPLATE_TEST_CASE("load_weights: gives back what was saved, to networks and models", "", float, bf16, double) {
  ScratchFolder const folder;
  Layouts<TestType, Cpu> const saved(1);
  save_weights(folder / "w", saved);
  Layouts<TestType, Cpu> net(9);
  load_weights(folder / "w", net);
  CHECK(same_bits(net.conv.var.value(), saved.conv.var.value()));
  CHECK(same_bits(net.linear.var.value(), saved.linear.var.value()));
  Model model{Layouts<TestType, Cpu>(9)};
  load_weights(folder / "w", model);
  CHECK(same_bits(model.net().conv.var.value(), saved.conv.var.value()));
  CHECK(same_bits(model.net().plain.var.value(), saved.plain.var.value()));
}

TEST_CASE("save_weights: a model in bf16 keeps all digits, its average and its buffers") {
  ScratchFolder const folder;
  Model model{tiny_net<bf16>(1)};
  model.track_ema({.decay = 0.5});
  model.gradients().fill(1);
  Adam{{.learning_rate = 1e-4}}.step(model);
  auto passes = model.net().passes.value;
  *passes.data() = 42;
  save_weights(folder / "w", model);
  save_weights(folder / "e", model, WeightSet::ema);

  Model same{tiny_net<bf16>(2)};
  same.track_ema({.decay = 0.5});
  load_weights(folder / "w", same);
  for (std::size_t i = 0; i < 5; ++i) CHECK(same_bits(same.view(same.weights(), i), model.view(model.weights(), i)));
  CHECK(same_bits(same.net().first.scale.var.value(), model.net().first.scale.var.value()));
  CHECK(same.net().passes.value.item() == 42);
  CHECK(same_bits(same.ema().first.scale.var.value(), model.net().first.scale.var.value()));

  load_weights(folder / "e", same);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(same_bits(same.view(same.weights(), i), model.view(std::as_const(model).ema_state().weights, i)));
  // The float file rounds into a network in bf16, and a file in double into one in float.
  auto net = tiny_net<bf16>(3);
  load_weights(folder / "w", net);
  CHECK(same_bits(net.first.scale.var.value(), model.net().first.scale.var.value()));
  save_weights(folder / "d", tiny_net<double>(4));
  auto rounded = tiny_net<float>(3);
  load_weights(folder / "d", rounded);
  CHECK(same_bits(rounded.first.scale.var.value(), tiny_net<float>(4).first.scale.var.value()));
}

TEST_CASE("load_weights: says what does not fit, and changes nothing") {
  ScratchFolder const folder;
  Model model{tiny_net<float>(1)};
  auto const before = model.weights().clone();
  save_weights(folder / "layouts", Layouts<float, Cpu>(1));
  require_error([&] { load_weights(folder / "layouts", model); },
                "wanted 'first.scale', 'first.shift', 'second.scale', 'second.shift' and 2 more, which the file lacks");
  require_error([&] { load_weights(folder / "layouts", model); },
                "given 'conv', 'linear', 'plain', which the network lacks");
  save_weights(folder / "wide", tiny_net<float>(1, 6));
  require_error([&] { load_weights(folder / "wide", model); }, "'first.scale' has shape (6), wanted (5); 3 more");
  require_error([&] { load_weights(folder / "wide", model, {.strict = false}); }, "'first.scale' has shape (6)");
  SafetensorsWriter writer;
  writer.add("second.shift", Tensor<std::int32_t>({5}, 1));
  writer.write(folder / "integers");
  require_error([&] { load_weights(folder / "integers", model, {.strict = false}); }, "'second.shift' holds I32");
  require_error([&] { load_weights(folder / "none", model); }, "cannot open");
  require_error([&] { save_weights(folder / "no/folder/w", model); }, "cannot create");
  require_error([&] { save_weights(folder / "w", model, WeightSet::ema); }, "keeps no average");
  require_error([&] { save_weights(folder / "w", model.net(), WeightSet::ema); }, "only a Model");
  CHECK(same_bits(model.weights(), before));
}

TEST_CASE("load_weights: not strict, names of one side are passed over") {
  ScratchFolder const folder;
  SafetensorsWriter writer;
  writer.add("second.shift", Tensor<float>({5}, 3.0f));
  writer.add("other", Tensor<float>({2}, 1.0f));
  writer.add("second.num_batches_tracked", Tensor<std::int64_t>({1}, std::int64_t{8}));
  writer.write(folder / "part");
  Model model{tiny_net<float>(1)};
  auto const before = model.weights().clone();
  require_error([&] { load_weights(folder / "part", model); }, "given 'other', which the network lacks");
  load_weights(folder / "part", model, {.strict = false});
  CHECK(model.net().second.shift.var.value().data()[4] == 3);
  CHECK(same_bits(model.view(model.weights(), 0), model.view(before, 0)));
}

TEST_CASE("file_shape: a layout that does not fit the rank") {
  require_error([] { file_shape({3}, Layout::linear); }, "another rank");
  require_error([] { file_shape({3, 4}, Layout::conv); }, "another rank");
}

TEST_CASE("load_weights: a file's other names, and what of it is ignored") {
  ScratchFolder const folder;
  auto const net = tiny_net<float>(1);
  SafetensorsWriter writer;
  for_each_leaf(net, [&](const std::string& name, auto const& leaf) {
    if constexpr (requires { leaf.var; })
      writer.add("net." + name, to_file_layout(leaf.var.value(), leaf.layout));
    else
      writer.add("net." + name, leaf.value);
  });
  writer.add("head.weight", Tensor<float>({2}, 1.0f));
  writer.write(folder / "w");
  auto other = tiny_net<float>(2);
  LoadOptions options{.ignored = {"tail.", "head."},
                      .name_in_file = [](const std::string& name) { return "net." + name; }};
  load_weights(folder / "w", other, options);
  CHECK(same_bits(other.first.scale.var.value(), net.first.scale.var.value()));
  CHECK(same_bits(other.second.shift.var.value(), net.second.shift.var.value()));
  options.ignored = {"tail."};
  require_error([&] { load_weights(folder / "w", other, options); }, "given 'head.weight', which the network lacks");
  require_error(
      [&] {
        load_weights(folder / "w", other, {.ignored = {"head.", "net."}});
      },
      "wanted 'first.scale', 'first.shift'");
}
