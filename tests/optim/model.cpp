// Model: the arena and what reads from it.
#include <limits>
#include <vector>

#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>

#include "check.hpp"
#include "invariance.hpp"
#include "tiny_net.hpp"

using namespace stipple;

namespace {

template <class T>
Model<TinyNet<T, Cpu>> tiny_model(std::uint64_t seed = 1, Index channels = 5) {
  Rng rng(seed);
  return Model<TinyNet<T, Cpu>>(TinyNet<T, Cpu>(channels, rng));
}

/// Not a template of type and device, so it names them.
struct Tied {
  using element = float;
  using device = Cpu;
  Parameter<float> a, b;
  static void each(auto& self, auto&& f) {
    f("a", self.a);
    f("b", self.b);
  }
};

/// One backward pass of the mean squared error against 1.
template <class T>
void backward(Model<TinyNet<T, Cpu>>& model, std::uint64_t seed = 3) {
  auto const x = random_tensor<T>({7, model.parameters()[0].shape[0]}, seed);
  mean_squared_error(model(Var<T>(x)), Tensor<T>(x.shape(), T(1))).backward();
}

}  // namespace

TEMPLATE_TEST_CASE("Model: one aligned arena with all parameters", "", float, bf16, double) {
  Rng rng(1);
  TinyNet<TestType, Cpu> net(5, rng);
  auto const scale = net.first.scale.var.value(), unused = net.unused.var.value();
  Model model{net};
  REQUIRE(model.parameters().size() == 5);
  CHECK(model.parameters()[0].name == "first.scale");
  CHECK(model.parameters()[4].name == "unused");
  CHECK(model.parameters()[4].shape == Shape{2, 3});
  CHECK(count_parameters(model) == 4 * 5 + 6);
  for (auto const& parameter : model.parameters()) CHECK(parameter.offset % 32 == 0);
  CHECK(max_abs_difference(model.view(model.weights(), 0), scale) == 0);
  CHECK(max_abs_difference(model.view(model.weights(), 4), unused) == 0);
  for_each_leaf(model, [&]<class Leaf>(const std::string& name, const Leaf& leaf) {
    if constexpr (requires { leaf.var; }) {
      INFO(name);
      auto const* const data = leaf.var.value().data();
      CHECK(reinterpret_cast<std::uintptr_t>(data) % 64 == 0);
      if constexpr (std::same_as<typename Leaf::element, bf16>) {
        auto const* const begin = model.working_weights().data();
        CHECK((data >= begin && data < begin + model.working_weights().size()));
      } else {
        auto const* const begin = model.weights().data();
        CHECK((data >= begin && data < begin + model.weights().size()));
      }
    }
  });
  // The network that was copied in stays as it was and apart.
  model.weights().fill(0);
  model.weights_changed();
  CHECK(max_abs_difference(net.first.scale.var.value(), scale) == 0);
  CHECK(static_cast<double>(model.net().first.scale.var.value().data()[0]) == 0);
}

TEMPLATE_TEST_CASE("Model: gradients arrive in the arena, zero where there are none", "", float, bf16) {
  auto model = tiny_model<TestType>();
  for (std::size_t i = 0; i < 5; ++i) model.view(model.gradients(), i).fill(9);
  model.zero_grad();
  backward(model);
  auto const once = model.gradients().clone();
  CHECK(model.view(once, 0).data()[0] != 0);
  CHECK(max_abs_difference(model.view(once, 0), model.net().first.scale.var.grad()) == 0);
  CHECK(max_abs_difference(model.view(once, 4), Tensor<float>::zeros({2, 3})) == 0);
  SECTION("a second backward adds") {
    backward(model);
    for (Index i = 0; i < 5; ++i)
      CHECK(model.view(model.gradients(), 0).data()[i] == 2 * model.view(once, 0).data()[i]);
  }
  SECTION("after zero_grad it overwrites") {
    model.zero_grad();
    backward(model);
    CHECK(max_abs_difference(model.view(model.gradients(), 0), model.view(once, 0)) == 0);
  }
  SECTION("and after a step as well") {
    Adam{{.learning_rate = 0}}.step(model);
    backward(model);
    CHECK(max_abs_difference(model.view(model.gradients(), 0), model.view(once, 0)) == 0);
  }
  SECTION("zero_grad alone leaves zeros") {
    model.zero_grad();
    for (float const value : model.gradients().span()) CHECK(value == 0);
  }
}

TEST_CASE("Model: gradients are zero between parameters too, whatever their memory held before") {
  auto const size = tiny_model<float>().gradients().size();
  {
    std::vector<Tensor<float>> used;
    for (int i = 0; i < 16; ++i) used.emplace_back(Shape{size}, std::numeric_limits<float>::quiet_NaN());
  }
  auto model = tiny_model<float>();
  for (float const value : model.gradients().span()) CHECK(value == 0);
}

TEST_CASE("Model: gradients take memory from backward to the step alone") {
  auto const in_use = [] { return Context::instance().allocator.report().in_use; };
  constexpr Index channels = 100'000;
  auto model = tiny_model<float>(1, channels);
  backward(model);
  Adam{}.step(model);
  auto const without = in_use();
  backward(model);
  CHECK(in_use() >= without + 4 * channels * sizeof(float));  // of two layers' scales and shifts
  Adam{}.step(model, {.max_norm = 1});
  CHECK(in_use() == without);
  backward(model);
  (void)model.gradients();
  CHECK(in_use() > without);
  model.zero_grad();
  CHECK(in_use() == without);
}

TEST_CASE("Model: tied weights share one place and sum their gradients") {
  Tied net{Parameter<float>(Tensor<float>({2}, {3, 5})), {}};
  net.b = net.a;
  Model model{net};
  CHECK(model.parameters()[0].offset == model.parameters()[1].offset);
  CHECK(model.weights().size() == 32);
  (model.net().a.var * model.net().b.var).backward(Tensor<float>({2}, 1.0f));
  CHECK(model.view(model.gradients(), 0).data()[0] == 6);
  CHECK(model.view(model.gradients(), 1).data()[1] == 10);
}

TEST_CASE("Model: a network in bf16 keeps float weights and reads them rounded") {
  auto model = tiny_model<bf16>();
  Adam const adam{{.learning_rate = 1e-3}};
  for_each_isa([&](Isa) {
    for (int step = 0; step < 5; ++step) {
      backward(model, 10 + static_cast<std::uint64_t>(step));
      adam.step(model);
      auto const rounded = ops::cast<bf16>(model.weights());
      CHECK(same_bits(model.working_weights(), rounded));
    }
  });
  // Steps far below a unit in the last place of bf16 are not lost.
  auto const before = model.weights().data()[0];
  for (int step = 0; step < 10; ++step) {
    model.view(model.gradients(), 0).fill(1);
    Adam{{.learning_rate = 1e-6}}.step(model);
  }
  CHECK(model.weights().data()[0] != before);
  CHECK(model.net().first.shift.var.value().data() == model.view(model.weights(), 1).data());
}

TEMPLATE_TEST_CASE("Model: the averaged network follows the average", "", float, bf16) {
  auto model = tiny_model<TestType>();
  require_error([&] { model.ema(); }, "track_ema");
  require_error([&] { model.track_ema({.decay = 1}); }, "wanted 0 <= decay < 1");
  model.track_ema({.decay = 0.75});
  auto average = model.weights().clone();
  auto const x = random_tensor<TestType>({3, 5});
  auto const at_start = model(Var<TestType>(x)).value();
  CHECK(same_bits(model.ema()(Var<TestType>(x)).value(), at_start));
  for (int step = 0; step < 4; ++step) {
    backward(model);
    Adam{{.learning_rate = 0.1}}.step(model);
    for (Index i = 0; i < average.size(); ++i)
      average.data()[i] += 0.25f * (model.weights().data()[i] - average.data()[i]);
  }
  CHECK(model.ema_state().updates == 4);
  CHECK(max_abs_difference(std::as_const(model).ema_state().weights, average) < 1e-6);
  auto const& ema = model.ema();
  CHECK_FALSE(ema.first.scale.var.requires_grad());
  auto const rounded = ops::cast<TestType>(model.ema_state().weights);
  CHECK(same_bits(ema.first.scale.var.value(), model.view(rounded, 0)));
  CHECK(max_abs_difference(model.ema()(Var<TestType>(x)).value(), model(Var<TestType>(x)).value()) > 1e-3);
  // Buffers are those of the trained network.
  CHECK(ema.passes.value.data() == model.net().passes.value.data());
}

TEST_CASE("Model: names the parameter that is not finite") {
  auto model = tiny_model<float>();
  CHECK(model.first_non_finite(model.weights()).empty());
  model.weights().data()[0] = 1e30f;  // its square is no float
  CHECK(model.first_non_finite(model.weights()).empty());
  model.view(model.weights(), 3).data()[4] = std::numeric_limits<float>::infinity();
  CHECK(model.first_non_finite(model.weights()) == "second.shift");
  model.view(model.weights(), 1).data()[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(model.first_non_finite(model.weights()) == "first.shift");
}
