#include <stipple/autograd/arithmetic.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// A pair of shapes, and which element of the right operand meets element i of the left one.
struct Pair {
  Shape a, b;
  Index (*partner)(Index i, const Shape& a);
};
Index same(Index i, const Shape&) { return i; }
Index only(Index, const Shape&) { return 0; }
Index channel(Index i, const Shape& a) { return i % a[-1]; }
Index sample(Index i, const Shape& a) { return i / (a.size() / a[0]); }
Index sample_and_channel(Index i, const Shape& a) { return sample(i, a) * a[-1] + channel(i, a); }

const std::vector<Pair> pairs{
    {{2, 3, 5, 7}, {2, 3, 5, 7}, same},
    {{2, 3, 5, 7}, {1}, only},
    {{2, 3, 5, 7}, {}, only},
    {{2, 3, 5, 7}, {7}, channel},
    {{2, 3, 5, 7}, {1, 1, 1, 7}, channel},
    {{2, 3, 5, 7}, {1, 7}, channel},
    {{2, 3, 5, 7}, {2, 7}, sample_and_channel},
    {{2, 3, 5, 7}, {2, 1, 1, 7}, sample_and_channel},
    {{2, 3, 5, 7}, {2, 1, 1, 1}, sample},
    {{2, 3, 5, 7}, {2, 1}, sample},
    {{4, 37}, {37}, channel},
    {{4, 37}, {4, 1}, sample},
    {{4, 37}, {1, 37}, channel},
    {{3, 11, 64}, {3, 64}, sample_and_channel},
    {{1, 1, 1, 1}, {1, 1, 1, 1}, same},
    {{1, 29, 31, 1}, {1}, only},
    {{5, 1, 1, 3}, {3}, channel},
    {{17}, {17}, same},
    {{}, {}, only},
    {{0, 3}, {3}, channel},
    {{0, 3}, {1}, only},
    {{2, 100, 170, 3}, {3}, channel},  // several pieces of the sums
    {{2, 100, 170, 3}, {2, 1, 1, 1}, sample},
    {{1, 90, 60, 40}, {40}, channel},
};

double tolerance_of(bf16) { return 0x1p-8; }  // half a unit in the last place of bf16, relative
double tolerance_of(float) { return 0x1p-23; }
double tolerance_of(double) { return 0x1p-52; }

template <class T, class U>
void check_values(const Pair& p) {
  INFO("shapes " << to_text(p.a) << " and " << to_text(p.b) << ", " << dtype_name<T>() << " and " << dtype_name<U>());
  auto const a = random_tensor<T>(p.a, 1);
  auto const b = random_tensor<U>(p.b, 2);
  auto const sum = ops::add(a, b), difference = ops::subtract(a, b), product = ops::multiply(a, b);
  auto in_place = a.clone();
  ops::add_in_place(in_place, b);
  CHECK(same_bits(in_place, sum));
  double worst = 0;
  for (Index i = 0; i < a.size(); ++i) {
    double const x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[p.partner(i, p.a)]);
    auto const compare = [&](T given, double wanted, double scale) {
      worst = std::max(worst, std::abs(static_cast<double>(given) - wanted) / std::max(scale, 1e-30));
    };
    compare(sum.data()[i], x + y, std::abs(x) + std::abs(y));
    compare(difference.data()[i], x - y, std::abs(x) + std::abs(y));
    compare(product.data()[i], x * y, std::abs(x * y));
  }
  CHECK(worst <= tolerance_of(T()));
}

template <class T, class U>
void check_sums(const Pair& p, bool with_factor) {
  INFO("shapes " << to_text(p.a) << " and " << to_text(p.b) << ", " << dtype_name<T>());
  auto const g = random_tensor<T>(p.a, 1);
  auto const factor = with_factor ? random_tensor<T>(p.a, 2) : Tensor<T>();
  auto const given = ops::sum_to<U>(g, factor, p.b);
  std::vector<double> wanted(static_cast<std::size_t>(p.b.size())), magnitude(wanted.size());
  for (Index i = 0; i < g.size(); ++i) {
    double const v = static_cast<double>(g.data()[i]) * (with_factor ? static_cast<double>(factor.data()[i]) : 1.0);
    wanted[static_cast<std::size_t>(p.partner(i, p.a))] += v;
    magnitude[static_cast<std::size_t>(p.partner(i, p.a))] += std::abs(v);
  }
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(given.data()[i]) - wanted[i]) / (magnitude[i] + 1e-30));
  CHECK(worst <= (std::same_as<U, double> ? 1e-15 : std::same_as<U, bf16> ? 0x1p-8 : 1e-6));
}

}  // namespace

TEST_CASE("sums, differences and products with every kind of broadcasting", "[arithmetic]") {
  for (auto const& pair : pairs) {
    check_values<double, double>(pair);
    for_each_isa([&](Isa) {
      check_values<float, float>(pair);
      check_values<bf16, bf16>(pair);
      check_values<bf16, float>(pair);
    });
  }
}

TEST_CASE("gradients of broadcast operands are sums in the accumulation type", "[arithmetic]") {
  for (auto const& pair : pairs)
    for (bool with_factor : {false, true}) {
      check_sums<double, double>(pair, with_factor);
      for_each_isa([&](Isa) {
        check_sums<float, float>(pair, with_factor);
        check_sums<bf16, float>(pair, with_factor);
        check_sums<bf16, bf16>(pair, with_factor);
      });
    }
}

TEST_CASE("arithmetic passes finite differences", "[arithmetic]") {
  for (auto const& pair : pairs) {
    if (pair.a.size() == 0 || pair.a.size() > 1000) continue;
    INFO("shapes " << to_text(pair.a) << " and " << to_text(pair.b));
    std::vector<Tensor<double>> const inputs{random_tensor<double>(pair.a, 1), random_tensor<double>(pair.b, 2)};
    check_gradients([](auto const& v) { return v[0] + v[1]; }, inputs);
    check_gradients([](auto const& v) { return v[0] - v[1]; }, inputs);
    check_gradients([](auto const& v) { return v[0] * v[1]; }, inputs);
  }
  check_gradients([](auto const& v) { return affine(v[0], -3, 2) + 0.5 * v[0]; }, {random_tensor<double>({3, 5})});
  check_gradients(
      [](auto const& v) {
        return reshape(v[0], {5, 3}) * reshape(v[0], {5, 3});
      },
      {random_tensor<double>({3, 5})});
}

TEST_CASE("affine maps scale and shift every element", "[arithmetic]") {
  for_each_isa([](Isa) {
    for (Index n : {1, 3, 16, 17, 40000}) {
      auto const x = random_tensor<float>({n});
      auto const y = ops::affine(x, 0.5, -2);
      double worst = 0;
      for (Index i = 0; i < n; ++i)
        worst = std::max(worst, std::abs(static_cast<double>(y.data()[i]) - (0.5 * x.data()[i] - 2.0)));
      CHECK(worst < 1e-6);
    }
    CHECK(ops::affine(Tensor<bf16>({1}, bf16(3.0f)), 2, 1).item() == bf16(7.0f));
  });
}

TEST_CASE("casts round to nearest even and keep NaN and infinity", "[arithmetic]") {
  float const inf = std::numeric_limits<float>::infinity();
  Tensor<float> const x({6}, {1.0f + 0x1p-8f, 1.0f + 3 * 0x1p-8f, -inf, 3.4e38f, 1e-45f, -0.0f});
  for_each_isa([&](Isa) {
    auto const y = ops::cast<bf16>(x);
    CHECK(static_cast<float>(y.data()[0]) == 1.0f);
    CHECK(static_cast<float>(y.data()[1]) == 1.0f + 4 * 0x1p-8f);
    CHECK(static_cast<float>(y.data()[2]) == -inf);
    CHECK(static_cast<float>(y.data()[3]) == inf);
    CHECK(static_cast<float>(y.data()[4]) == 0.0f);
    CHECK(std::signbit(static_cast<float>(y.data()[5])));
    CHECK(std::isnan(ops::cast<float>(ops::cast<bf16>(Tensor<float>({1}, std::nanf("")))).item()));
    auto const big = random_tensor<bf16>({40000});
    CHECK(same_bits(ops::cast<bf16>(ops::cast<float>(big)), big));
    CHECK(same_bits(ops::cast<bf16>(ops::cast<double>(big)), big));
  });
  CHECK(ops::cast<float>(x).data() == x.data());
}

TEST_CASE("arithmetic does not depend on threads or batch", "[arithmetic]") {
  auto const x = random_tensor<bf16>({9, 40, 40, 24}, 1);
  auto const row = random_tensor<float>({24}, 2), rows = random_tensor<float>({9, 24}, 3);
  check_threads([&] { return ops::multiply(x, row); });
  check_threads([&] { return ops::add(x, rows); });
  check_threads([&] { return ops::sum_to<float>(x, Tensor<bf16>(), Shape{24}); });
  check_threads([&] { return ops::sum_to<float>(x, x, Shape{9, 24}); });
  check_threads([&] { return ops::sum_to<float>(x, x, Shape{1}); });
  check_threads([&] { return ops::affine(x, 3, 1); });
  check_batch(x, [&](const Tensor<bf16>& t) { return ops::multiply(t, row); });
  check_batch(x, [](const Tensor<bf16>& t) { return ops::sum_to<float>(t, t, Shape{t.dim(0), 24}); });
}

TEST_CASE("shapes that do not broadcast are an error that names them", "[arithmetic]") {
  Tensor<float> const a({2, 3, 5, 7}, 1.0f);
  for (Shape const& shape : {Shape{2}, Shape{3}, Shape{7, 2}, Shape{2, 3}, Shape{2, 3, 1, 1}, Shape{2, 3, 5, 1},
                             Shape{210}, Shape{1, 2, 3, 5, 7}}) {
    Tensor<float> const b(shape, 1.0f);
    require_error([&] { (void)ops::add(a, b); }, "add: given shapes (2, 3, 5, 7) and " + to_text(shape));
    require_error([&] { (void)ops::subtract(a, b); }, "subtract: given shapes");
    require_error([&] { (void)ops::multiply(a, b); }, "multiply: given shapes");
    require_error([&] { (void)ops::sum_to<float>(a, Tensor<float>(), shape); }, "sum_to: given shapes");
    auto target = a.clone();
    require_error([&] { ops::add_in_place(target, b); }, "add_in_place: given shapes");
  }
  Tensor<float> none;
  require_error([&] { (void)ops::add(a, none); }, "add: given an empty tensor");
  require_error([&] { ops::add_in_place(none, a); }, "add_in_place: given an empty tensor");
  require_error([&] { (void)ops::sum_to<float>(none, none, Shape{1}); }, "sum_to: given an empty tensor");
  require_error([&] { (void)ops::sum_to<float>(a, Tensor<float>({2}), Shape{7}); }, "sum_to: given a factor");
  require_error([&] { (void)ops::affine(none, 1); }, "affine: given an empty tensor");
  require_error([&] { (void)ops::cast<bf16>(none); }, "cast: given an empty tensor");
}
