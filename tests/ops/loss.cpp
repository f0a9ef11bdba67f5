#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/loss.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;
using ops::LossKind;
using ops::LossSpec;

namespace {

/// The formulas, for one difference.
double value(LossKind kind, double d, double p) {
  double const a = std::abs(d);
  switch (kind) {
    case LossKind::mse:
      return d * d;
    case LossKind::l1:
      return a;
    case LossKind::huber:
      return a <= p ? d * d / 2 : p * (a - p / 2);
    case LossKind::smooth_l1:
      return a < p ? d * d / (2 * p) : a - p / 2;
  }
  return 0;
}

const std::vector<LossSpec> losses{{LossKind::mse, 0},        {LossKind::l1, 0},          {LossKind::huber, 1},
                                   {LossKind::huber, 0.3},    {LossKind::smooth_l1, 0.5}, {LossKind::smooth_l1, 0},
                                   {LossKind::smooth_l1, 1.5}};

/// Calls check(T(), U()) for the element types that predictions and targets may have.
template <class F>
void for_each_pair(const F& check) {
  check(double(), double());
  for_each_isa([&](Isa) {
    check(float(), float());
    check(bf16(), float());
    check(bf16(), bf16());
  });
}

/// PyTorch's cross entropy of one row, in double.
double cross_entropy_of(const Tensor<double>& x, Index row, std::int32_t label, double smoothing) {
  Index const classes = x.dim(1);
  const double* const logits = x.data() + row * classes;
  double total = 0, loss = 0;
  for (Index c = 0; c < classes; ++c) total += std::exp(logits[c]);
  for (Index c = 0; c < classes; ++c)
    loss -=
        (smoothing / static_cast<double>(classes) + (c == label ? 1 - smoothing : 0)) * (logits[c] - std::log(total));
  return loss;
}

}  // namespace

TEST_CASE("losses of every kind, type and size follow their formulas", "[loss]") {
  for (auto const& spec : losses)
    for (Shape const& shape : {Shape{1}, Shape{2, 3, 5, 1}, Shape{61}, Shape{2, 17'000}})
      for_each_pair([&]<class T, class U>(T, U) {
        INFO("kind " << static_cast<int>(spec.kind) << ", " << to_text(shape) << ", " << dtype_name<T>());
        auto const x = random_tensor<T>(shape, 1);
        auto const y = random_tensor<U>(shape, 2);
        auto each = spec, total = spec;
        each.reduction = Reduction::none;
        total.reduction = Reduction::sum;
        auto const given = ops::loss("loss", x, y, each);
        double const relative = std::same_as<T, double> ? 1e-14 : 1e-6;
        double const of_sums = std::same_as<T, double> ? 1e-12 : 4e-6;
        double sum = 0, worst = 0;
        for (Index i = 0; i < x.size(); ++i) {
          double const d = static_cast<double>(x.data()[i]) - static_cast<double>(y.data()[i]);
          double const wanted = value(spec.kind, d, spec.parameter);
          sum += wanted;
          worst = std::max(worst, std::abs(static_cast<double>(given.data()[i]) - wanted) / (wanted + 1e-3));
        }
        CHECK(worst <= relative);
        double const n = static_cast<double>(x.size());
        CHECK(static_cast<double>(ops::loss("loss", x, y, total).item()) == Approx(sum).epsilon(of_sums));
        CHECK(static_cast<double>(ops::loss("loss", x, y, spec).item()) == Approx(sum / n).epsilon(of_sums));
      });
}

TEST_CASE("losses pass finite differences in prediction and target", "[loss]") {
  auto const x = random_tensor<double>({3, 7}, 1), y = random_tensor<double>({3, 7}, 2);
  for (auto reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    check_gradients([&](auto const& v) { return mse_loss(v[0], v[1], reduction); }, {x, y});
    check_gradients([&](auto const& v) { return l1_loss(v[0], v[1], reduction); }, {x, y});
    check_gradients([&](auto const& v) { return huber_loss(v[0], v[1], 0.7, reduction); }, {x, y});
    check_gradients([&](auto const& v) { return smooth_l1_loss(v[0], v[1], 0.7, reduction); }, {x, y});
    Tensor<std::int32_t> const labels({3}, {6, 0, 2});
    for (double smoothing : {0.0, 0.1, 1.0})
      check_gradients([&](auto const& v) { return cross_entropy_loss(v[0], labels, {smoothing, reduction}); }, {x});
  }
  check_gradients([](auto const& v) { return mse_loss(v[0], v[0] * v[0]); }, {x});
}

TEST_CASE("the slope of the absolute value is zero at zero", "[loss]") {
  for_each_isa([](Isa) {
    Var<float> const x(Tensor<float>({3}, {1.0f, 2.0f, 3.0f}), true);
    l1_loss(x, Tensor<float>({3}, 2.0f), Reduction::sum).backward();
    CHECK(same_bits(x.grad(), Tensor<float>({3}, {-1, 0, 1})));
  });
}

TEST_CASE("gradients of bf16 predictions are those of float, rounded", "[loss]") {
  for_each_isa([](Isa) {
    auto const x = random_tensor<bf16>({5, 37}, 1);
    auto const y = random_tensor<float>({5, 37}, 2);
    Var<bf16> const narrow(x, true);
    Var<float> const wide(ops::cast<float>(x), true);
    smooth_l1_loss(narrow, y).backward();
    smooth_l1_loss(wide, y).backward();
    CHECK(same_bits(narrow.grad(), ops::cast<float>(ops::cast<bf16>(wide.grad()))));
  });
}

TEST_CASE("cross entropy of any number of classes follows the formula", "[loss]") {
  for (Index classes : {1, 2, 10, 16, 33, 1000})
    for (double smoothing : {0.0, 0.2})
      for_each_pair([&]<class T, class U>(T, U) {
        auto const x = random_tensor<T>({7, classes});
        auto const labels = Rng(3).integers({7}, 0, static_cast<std::int32_t>(classes));
        auto const given = ops::cross_entropy(x, labels, {smoothing, Reduction::none}).loss;
        for (Index i = 0; i < 7; ++i)
          CHECK(std::abs(static_cast<double>(given.data()[i]) -
                         cross_entropy_of(ops::cast<double>(x), i, labels.data()[i], smoothing)) < 3e-6);
      });
}

TEST_CASE("cross entropy survives large logits and shows a NaN", "[loss]") {
  float const inf = std::numeric_limits<float>::infinity();
  for_each_isa([&](Isa) {
    Var<float> const x(Tensor<float>({2, 3}, {1e4f, -1e4f, 0.0f, -inf, 5.0f, 5.0f}), true);
    auto const loss = cross_entropy_loss(x, Tensor<std::int32_t>({2}, {2, 1}), {0, Reduction::sum});
    CHECK(loss.item() == Approx(1e4 + std::log(2.0)));
    loss.backward();
    CHECK(max_abs_difference(x.grad(), Tensor<float>({2, 3}, {1, 0, -1, 0, -0.5f, 0.5f})) < 1e-6);
    Tensor<float> const bad({1, 20}, std::nanf(""));
    CHECK(std::isnan(ops::cross_entropy(bad, Tensor<std::int32_t>({1}, 3)).loss.item()));
    for (auto const& spec : losses)
      CHECK(std::isnan(ops::loss("loss", bad, Tensor<float>({1, 20}, 0.0f), spec).item()));
  });
}

TEST_CASE("losses do not depend on threads or batch", "[loss]") {
  auto const x = random_tensor<bf16>({64, 28, 28, 3}, 1);
  auto const y = random_tensor<float>({64, 28, 28, 3}, 2);
  for (auto spec : losses) {
    check_threads([&] { return ops::loss("loss", x, y, spec); });
    spec.reduction = Reduction::none;
    CHECK(same_bits(ops::loss("loss", x.slice(5, 6), y.slice(5, 6), spec), ops::loss("loss", x, y, spec).slice(5, 6)));
  }
  auto const logits = random_tensor<bf16>({1000, 10});
  auto const labels = Rng(3).integers({1000}, 0, 10);
  check_threads([&] { return ops::cross_entropy(logits, labels).loss; });
}

TEST_CASE("losses refuse shapes that differ, and means of nothing", "[loss]") {
  Var<float> const x(Tensor<float>({2, 3}, 0.0f), true);
  Tensor<float> const y({3, 2}, 0.0f), none({0, 3});
  require_error([&] { (void)mse_loss(x, y); },
                "mse_loss: given a prediction of shape (2, 3) and a target of shape (3, 2)");
  require_error([&] { (void)l1_loss(x, Tensor<float>({2, 1}, 0.0f)); }, "l1_loss: given a prediction");
  require_error([&] { (void)huber_loss(x, x, 0); }, "huber_loss: given delta 0");
  require_error([&] { (void)huber_loss(x, x, std::nan("")); }, "huber_loss: given delta");
  require_error([&] { (void)smooth_l1_loss(x, x, -1); }, "smooth_l1_loss: given beta -1");
  require_error([&] { (void)mse_loss(Var<float>(none), none); }, "mse_loss: given shape (0, 3)");
  require_error([&] { (void)mse_loss(Var<float>(), Tensor<float>()); }, "mse_loss: given an empty tensor");
  Tensor<std::int32_t> const labels({2}, {0, 3});
  require_error([&] { (void)cross_entropy_loss(x, labels); }, "cross_entropy: given id 3 at position 1, wanted 0 to 2");
  require_error([&] { (void)cross_entropy_loss(x, labels.slice(0, 1)); }, "labels of shape (1)");
  require_error([&] { (void)cross_entropy_loss(x, labels, {1.5}); }, "label smoothing 1.5");
  require_error([&] { (void)ops::cross_entropy(none, Tensor<std::int32_t>({0})); }, "no rows");
  require_error([&] { (void)ops::loss_backward<float>("l", y, x.value(), x.value(), {}); },
                "given a gradient of shape");
  require_error([&] { (void)ops::loss_backward<float>("l", Tensor<float>(), x.value(), x.value(), {}); },
                "l: given an empty gradient");
}

TEST_CASE("the gradient of cross entropy refuses what the loss refuses", "[loss]") {
  Tensor<float> const logits({2, 3}, 0.0f), dy(Shape{}, 1.0f), normalisers({2}, 0.0f);
  Tensor<std::int32_t> const labels({2}, {0, 2});
  auto const refuses = [&](const Tensor<float>& gradient, const Tensor<float>& x, const CrossEntropySpec& spec,
                           const char* wanted) {
    require_error([&] { (void)ops::cross_entropy_backward(gradient, x, labels, normalisers, spec); }, wanted);
  };
  refuses({}, logits, {}, "cross_entropy_backward: given an empty gradient");
  refuses(normalisers, logits, {}, "given a gradient of shape (2), wanted ()");
  refuses(dy, Tensor<float>({2, 0}), {}, "cross_entropy_backward: given logits of shape (2, 0)");
  refuses(dy, Tensor<float>({3, 3}, 0.0f), {}, "labels of shape (2)");
  refuses(dy, logits, {.label_smoothing = -1}, "label smoothing -1");
  require_error([&] { (void)ops::cross_entropy_backward(dy, logits, labels, dy); }, "given normalisers of shape ()");
}
