#include <limits>

#include <stipple/autograd/activation.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

constexpr Activation all_activations[] = {Activation::none, Activation::relu,    Activation::relu6,
                                          Activation::silu, Activation::gelu,    Activation::gelu_tanh,
                                          Activation::mish, Activation::sigmoid, Activation::tanh};

/// The formulas of `Activation` as they stand there.
double formula(Activation kind, double x) {
  switch (kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::relu6:
      return x > 6 ? 6 : x > 0 ? x : 0;
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return x * std::erfc(-x * std::sqrt(0.5)) / 2;
    case Activation::gelu_tanh:
      return x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))) / 2;
    case Activation::mish:
      return x * std::tanh(std::log1p(std::exp(x)));
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
  }
  return 0;
}

/// -30 to 30 in steps of 1/128, and a number of elements that fills no vector.
template <class T>
Tensor<T> wide_range() {
  Tensor<double> x({7681});
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = -30 + static_cast<double>(i) / 128;
  return ops::cast<T>(ops::cast<float>(x));
}

/// Of the forward and backward pass against the formula in double, relative to max(1, |x|).
template <class T>
void check_formula(double tolerance) {
  auto const x = wide_range<T>();
  Tensor<T> const ones(x.shape(), T(1));
  for (auto const kind : all_activations) {
    INFO(to_text(kind) << " in " << dtype_name<T>());
    auto const y = ops::activate(x, kind), slope = ops::activate_backward(ones, x, kind);
    double worst = 0, worst_slope = 0;
    for (Index i = 0; i < x.size(); ++i) {
      double const at = static_cast<double>(x.data()[i]), scale = std::max(1.0, std::abs(at)), h = 1e-5;
      worst = std::max(worst, std::abs(static_cast<double>(y.data()[i]) - formula(kind, at)) / scale);
      if ((kind == Activation::relu || kind == Activation::relu6) && (at == 0 || at == 6)) continue;  // kinks
      double const difference = (formula(kind, at + h) - formula(kind, at - h)) / (2 * h);
      worst_slope = std::max(worst_slope, std::abs(static_cast<double>(slope.data()[i]) - difference));
    }
    CHECK(worst <= tolerance);
    CHECK(worst_slope <= std::max(tolerance, 1e-9));
  }
}

}  // namespace

TEST_CASE("activations are their formulas in every instruction set", "[activation]") {
  for_each_isa([](Isa) {
    check_formula<float>(4e-7);
    check_formula<bf16>(0x1p-8);  // half a unit in the last place, relative to the next power of two
  });
  check_formula<double>(1e-14);
}

TEST_CASE("activations pass finite differences", "[activation]") {
  for (auto const kind : all_activations)
    for (Shape const& shape : {Shape{1}, Shape{3, 7}, Shape{2, 3, 5, 1}}) {
      INFO(to_text(kind));
      check_gradients([&](auto const& v) { return activate(v[0], kind); }, {random_tensor<double>(shape)},
                      {.kink_margin = kind == Activation::relu || kind == Activation::relu6 ? 1e-3 : 0.0});
    }
}

TEST_CASE("the named functions are the activations", "[activation]") {
  auto const x = random_tensor({5, 3});
  Var<float> const v(x);
  CHECK(same_bits(relu(v).value(), ops::activate(x, Activation::relu)));
  CHECK(same_bits(relu6(v).value(), ops::activate(x, Activation::relu6)));
  CHECK(same_bits(silu(v).value(), ops::activate(x, Activation::silu)));
  CHECK(same_bits(gelu(v).value(), ops::activate(x, Activation::gelu)));
  CHECK(same_bits(gelu_tanh(v).value(), ops::activate(x, Activation::gelu_tanh)));
  CHECK(same_bits(mish(v).value(), ops::activate(x, Activation::mish)));
  CHECK(same_bits(sigmoid(v).value(), ops::activate(x, Activation::sigmoid)));
  CHECK(same_bits(tanh(v).value(), ops::activate(x, Activation::tanh)));
  CHECK(same_bits(activate(v, Activation::none).value(), x));
}

TEST_CASE("huge inputs give finite activations and slopes, a NaN stays one", "[activation]") {
  constexpr float huge = std::numeric_limits<float>::max();
  Tensor<float> const x({5}, {huge, -huge, 1000.0f, -1000.0f, std::numeric_limits<float>::quiet_NaN()});
  Tensor<float> const ones({5}, 1.0f);
  for_each_isa([&](Isa) {
    for (auto const kind : all_activations) {
      INFO(to_text(kind));
      auto const y = ops::activate(x, kind), slope = ops::activate_backward(ones, x, kind);
      for (Index i = 0; i < 4; ++i) {
        double const at = static_cast<double>(x.data()[i]);
        CHECK(static_cast<double>(y.data()[i]) == Approx(formula(kind, at)).margin(1e-30));
        bool const bounded = kind == Activation::relu6 || kind == Activation::sigmoid || kind == Activation::tanh;
        double const limit = kind == Activation::none ? 1 : bounded ? 0 : at > 0 ? 1 : 0;
        CHECK(static_cast<double>(slope.data()[i]) == Approx(limit).margin(1e-30));
      }
      CHECK(std::isnan(y.data()[4]));
    }
  });
}

TEST_CASE("activations do not depend on threads or the batch", "[activation]") {
  auto const x = random_tensor<bf16>({9, 97, 61});
  auto const dy = random_tensor<bf16>(x.shape(), 2);
  for (auto const kind : all_activations) {
    check_threads([&] { return ops::activate(x, kind); });
    check_threads([&] { return ops::activate_backward(dy, x, kind); });
    check_batch(x, [&](const Tensor<bf16>& t) { return ops::activate(t, kind); });
  }
}

TEST_CASE("activations refuse what does not fit", "[activation]") {
  require_error([] { (void)ops::activate(Tensor<float>(), Activation::silu); }, "silu: given an empty tensor");
  require_error(
      [] {
        (void)ops::activate_backward(Tensor<float>({2, 3}), Tensor<float>({3, 2}), Activation::mish);
      },
      "mish backward: given a gradient of shape (2, 3), wanted (3, 2)");
  CHECK(ops::activate(Tensor<float>({0, 3}), Activation::gelu).size() == 0);
}
