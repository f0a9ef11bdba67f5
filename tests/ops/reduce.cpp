#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/reduce.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

struct Case {
  Shape shape;
  Axes axes;
  Index outer, middle, inner;
  Shape kept;
};
const std::vector<Case> reductions{
    {{3, 5, 7, 2}, {}, 1, 210, 1, {}},
    {{3, 5, 7, 2}, {0, 1}, 1, 3, 70, {5, 7, 2}},
    {{3, 5, 7, 2}, {1, 3}, 3, 35, 2, {3, 2}},
    {{3, 5, 7, 2}, {1, -1}, 3, 35, 2, {3, 2}},
    {{3, 5, 7, 2}, {1, 4}, 3, 70, 1, {3}},
    {{3, 5, 7, 2}, {-1, 0}, 105, 2, 1, {3, 5, 7}},
    {{3, 5, 7, 2}, {2, 2}, 15, 1, 14, {3, 5, 7, 2}},
    {{1}, {}, 1, 1, 1, {}},
    {{}, {}, 1, 1, 1, {}},
    {{100'003}, {}, 1, 100'003, 1, {}},
    {{2, 40'000, 3}, {1, 2}, 2, 40'000, 3, {2, 3}},
};

std::vector<double> exact_sums(const Tensor<double>& x, const Case& c) {
  std::vector<double> sums(static_cast<std::size_t>(c.outer * c.inner));
  for (Index i = 0; i < x.size(); ++i)
    sums[static_cast<std::size_t>(i / (c.middle * c.inner) * c.inner + i % c.inner)] += x.data()[i];
  return sums;
}

}  // namespace

TEST_CASE("sums and means over any range of axes", "[reduce]") {
  for (auto const& c : reductions) {
    INFO(to_text(c.shape) << " axes [" << c.axes.first << ", " << c.axes.last << ")");
    auto const n = static_cast<double>(c.middle);
    auto const check = [&]<class T>(T, double tolerance) {
      auto const x = random_tensor<T>(c.shape);
      auto const wanted = exact_sums(ops::cast<double>(x), c);
      auto const total = ops::sum(x, c.axes), average = ops::mean(x, c.axes);
      REQUIRE(total.shape() == c.kept);
      REQUIRE(average.shape() == c.kept);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        CHECK(std::abs(static_cast<double>(total.span()[i]) - wanted[i]) <= tolerance * std::sqrt(n));
        CHECK(std::abs(static_cast<double>(average.span()[i]) - wanted[i] / n) <= tolerance / std::sqrt(n));
      }
    };
    check(double(), 1e-13);
    for_each_isa([&](Isa) {
      check(float(), 3e-6);
      check(bf16(), 3e-6);
    });
  }
}

TEST_CASE("reductions pass finite differences", "[reduce]") {
  for (auto const& c : reductions) {
    if (c.shape.size() > 1000) continue;
    auto const x = random_tensor<double>(c.shape);
    check_gradients([&](auto const& v) { return sum(v[0] * v[0], c.axes); }, {x});
    check_gradients([&](auto const& v) { return mean(v[0] * v[0], c.axes); }, {x});
  }
}

TEST_CASE("the gradient of a bf16 sum is exact in every instruction set", "[reduce]") {
  auto const dy = random_tensor<float>({3, 21});
  Tensor<bf16> portable;
  for_each_isa([&](Isa isa) {
    auto const dx = ops::sum_backward<bf16>(dy, {3, 50, 21}, {1, 2}, 0.5);
    if (isa == Isa::portable) portable = dx;
    CHECK(same_bits(dx, portable));
    CHECK(dx.data()[50 * 21 + 22] == bf16(0.5f * dy.data()[22]));
  });
}

TEST_CASE("max finds the largest element wherever it stands, and NaN", "[reduce]") {
  for_each_isa([](Isa) {
    for (Index n : {1, 2, 15, 16, 17, 33, 40'000})
      for (Index at : {Index{0}, n / 2, n - 1}) {
        Tensor<float> x({n}, -5.0f);
        x.data()[at] = -1.0f;
        CHECK(ops::max(x) == -1.0f);
        CHECK(ops::max(ops::cast<bf16>(x)) == bf16(-1.0f));
        CHECK(ops::max(ops::cast<double>(x)) == -1.0);
        x.data()[at] = std::nanf("");
        CHECK(std::isnan(ops::max(x)));
      }
  });
}

TEST_CASE("reductions do not depend on threads or batch", "[reduce]") {
  auto const x = random_tensor<bf16>({5, 100, 100, 7});
  check_threads([&] { return ops::sum(x); });
  check_threads([&] { return ops::sum(x, {1, 3}); });
  check_threads([&] { return ops::sum(x, {0, 1}); });
  check_batch(x, [](const Tensor<bf16>& t) { return ops::sum(t, {1, 4}); });
  check_batch(x, [](const Tensor<bf16>& t) { return ops::mean(t, {1, 3}); });
}

TEST_CASE("reductions refuse axes that the tensor lacks, and means of nothing", "[reduce]") {
  Tensor<float> const x({2, 3}, 1.0f), none({0, 3});
  require_error([&] { (void)ops::sum(x, {2, 1}); }, "sum: given axes [2, 1) of a tensor of shape (2, 3)");
  require_error([&] { (void)ops::sum(x, {0, 3}); }, "sum: given axes [0, 3)");
  require_error([&] { (void)ops::mean(x, {-3, 1}); }, "mean: given axes [-3, 1)");
  require_error([&] { (void)ops::mean(none); }, "mean: given axes without elements in shape (0, 3)");
  require_error([&] { (void)ops::sum(Tensor<float>()); }, "sum: given an empty tensor");
  require_error([&] { (void)ops::mean(Tensor<float>()); }, "mean: given an empty tensor");
  require_error([&] { (void)ops::max(none); }, "max: given a tensor without elements");
  require_error(
      [&] {
        (void)ops::sum_backward<float>(x, {2, 3}, {0, 1});
      },
      "given a gradient of shape (2, 3), wanted (3)");
  CHECK(ops::sum(none).item() == 0);
}
