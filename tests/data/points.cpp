#include <stipple/data/points.hpp>

#include <algorithm>
#include <set>

#include "check.hpp"
#include "diffusion/formulas.hpp"
#include "invariance.hpp"

using namespace stipple;
using data::PointSet;

namespace {

struct Moments {
  double mean = 0, deviation = 0;  // of all numbers
};
Moments moments(const Tensor<float>& points) {
  double sum = 0, squares = 0;
  for (float const value : points.span()) sum += static_cast<double>(value);
  double const mean = sum / static_cast<double>(points.size());
  for (float const value : points.span()) squares += (static_cast<double>(value) - mean) * (value - mean);
  return {mean, std::sqrt(squares / static_cast<double>(points.size()))};
}

Tensor<float> make(PointSet set, Index n, std::uint64_t seed = 1) {
  Rng rng(seed);
  return data::points(set, n, rng);
}

// Undoes `standardize` from two numbers whose values before it are known.
struct Unscaled {
  double a, b;
  double operator()(float value) const { return a * static_cast<double>(value) + b; }
};

}  // namespace

TEST_CASE("standardize uses one mean and one population standard deviation") {
  auto points = formulas::input<float>("normalize.raw");
  data::standardize(points);
  formulas::check("normalize.out", points);
  Tensor<float> same({3, 2}, 1.0f), none({0, 2}), one({1, 2}, {1.0f, 2.0f});
  require_error([&] { data::standardize(same); }, "without spread");
  require_error([&] { data::standardize(none); }, "without spread");
  one.data()[0] = std::nanf("");
  require_error([&] { data::standardize(one); }, "finite");
}

TEST_CASE("scaled sets have mean 0 and standard deviation 2") {
  for (auto const set : {PointSet::s_curve, PointSet::moon, PointSet::swiss_roll, PointSet::swiss_roll_without_hole,
                         PointSet::checkerboard}) {
    INFO(to_text(set));
    auto const m = moments(make(set, 10001));
    CHECK(m.mean == Approx(0).margin(1e-5));
    CHECK(m.deviation == Approx(2).epsilon(1e-5));
  }
}

TEST_CASE("Gaussians") {
  auto const centred = make(PointSet::gaussian_centered, 50000), shifted = make(PointSet::gaussian_shift, 50000);
  CHECK(moments(centred).mean == Approx(0).margin(5 / std::sqrt(1e5)));
  CHECK(moments(centred).deviation == Approx(1).epsilon(5 / std::sqrt(2e5)));
  CHECK(max_abs_difference(shifted, ops::affine(centred, 1, 1.5)) <= 1e-6);
}

TEST_CASE("circles: n / 2 even steps on radius 4, the rest on radius 2, in random order") {
  for (Index const n : {2, 3, 100, 1001}) {
    auto const points = make(PointSet::circle, n);
    std::vector<double> outer, inner;
    for (Index i = 0; i < n; ++i) {
      double const x = points.data()[2 * i], y = points.data()[2 * i + 1], radius = std::hypot(x, y);
      double angle = std::atan2(y, x);
      if (angle < -1e-6) angle += 2 * std::numbers::pi;
      (radius > 3 ? outer : inner).push_back(angle);
      CHECK(std::abs(radius - (radius > 3 ? 4 : 2)) < 1e-5);
    }
    REQUIRE(static_cast<Index>(outer.size()) == n / 2);
    if (n > 3) CHECK_FALSE(std::is_sorted(outer.begin(), outer.end()));
    for (auto* const angles : {&outer, &inner}) {
      std::sort(angles->begin(), angles->end());
      double const step = 2 * std::numbers::pi / static_cast<double>(angles->size());
      for (std::size_t i = 0; i < angles->size(); ++i)
        CHECK((*angles)[i] == Approx(static_cast<double>(i) * step).margin(1e-5));
    }
  }
}

TEST_CASE("moons: two half-circles of radius 1, the lower around (1, 1/2)") {
  Index const n = 1000;
  auto const points = make(PointSet::moon, n);
  // The rightmost point is (2, 1/2) and the leftmost (-1, 0), before scaling.
  float right = -9, left = 9;
  for (Index i = 0; i < n; ++i) {
    right = std::max(right, points.data()[2 * i]);
    left = std::min(left, points.data()[2 * i]);
  }
  double const a = 3 / (static_cast<double>(right) - static_cast<double>(left));
  Unscaled const raw{a, 2 - a * static_cast<double>(right)};
  int upper = 0;
  for (Index i = 0; i < n; ++i) {
    double const x = raw(points.data()[2 * i]), y = raw(points.data()[2 * i + 1]);
    bool const on_upper = std::abs(std::hypot(x, y) - 1) < 1e-4 && y > -1e-4;
    bool const on_lower = std::abs(std::hypot(x - 1, y - 0.5) - 1) < 1e-4 && y < 0.5 + 1e-4;
    if (!(on_upper || on_lower)) FAIL_CHECK("(" << x << ", " << y << ") lies on neither");
    upper += on_upper && !on_lower;
  }
  CHECK(std::abs(upper - 500) <= 4);
}

TEST_CASE("S-curve: two circles that touch at the origin") {
  Index const n = 20000;
  auto const points = make(PointSet::s_curve, n);
  float right = -9, left = 9;
  for (Index i = 0; i < n; ++i) {
    right = std::max(right, points.data()[2 * i]);
    left = std::min(left, points.data()[2 * i]);
  }
  double const a = 2 / (static_cast<double>(right) - static_cast<double>(left));  // x runs from -1 to 1
  Unscaled const raw{a, 1 - a * static_cast<double>(right)};
  for (Index i = 0; i < n; ++i) {
    double const x = raw(points.data()[2 * i]), z = raw(points.data()[2 * i + 1]);
    // (sin t, sign t (cos t - 1)): radius 1 around (0, -1) for t > 0, around (0, 1) for t < 0.
    double const off = std::min(std::abs(std::hypot(x, z + 1) - 1), std::abs(std::hypot(x, z - 1) - 1));
    if (off > 1e-3) FAIL_CHECK("(" << x << ", " << z << ") lies on neither");
  }
}

TEST_CASE("Swiss roll: on the spiral, with two thirds of the density in the middle third when it has a hole") {
  for (bool const hole : {true, false}) {
    Index const n = 100000;
    auto const points = make(hole ? PointSet::swiss_roll : PointSet::swiss_roll_without_hole, n);
    // (t cos t, t sin t) with t from 3 pi / 2 to 9 pi / 2. Both ends and the turning points fix the scale: the spiral's
    // lowest and highest z.
    double low = 1e9, high = -1e9;
    for (int i = 0; i <= 1000000; ++i) {
      double const t = std::numbers::pi * (1.5 + 3.0 * i / 1000000);
      low = std::min(low, t * std::sin(t));
      high = std::max(high, t * std::sin(t));
    }
    float bottom = 9, top = -9;
    for (Index i = 0; i < n; ++i) {
      bottom = std::min(bottom, points.data()[2 * i + 1]);
      top = std::max(top, points.data()[2 * i + 1]);
    }
    double const a = (high - low) / (static_cast<double>(top) - static_cast<double>(bottom));
    Unscaled const raw{a, high - a * static_cast<double>(top)};
    std::array<int, 3> thirds{};
    for (Index i = 0; i < n; ++i) {
      double const x = raw(points.data()[2 * i]), z = raw(points.data()[2 * i + 1]), t = std::hypot(x, z);
      if (std::abs(t * std::cos(t) - x) + std::abs(t * std::sin(t) - z) > 0.05)
        FAIL_CHECK("(" << x << ", " << z << ") is off the spiral");
      ++thirds.at(static_cast<std::size_t>(std::clamp((t / std::numbers::pi - 1.5), 0.0, 2.999)));
    }
    double const middle = hole ? 0.25 : 1.0 / 3;
    CHECK(thirds[1] == Approx(middle * static_cast<double>(n)).margin(5 * std::sqrt(0.2 * static_cast<double>(n))));
    CHECK(thirds[0] == Approx((1 - middle) / 2 * static_cast<double>(n)).margin(5 * std::sqrt(0.25 * 1e5)));
  }
}

TEST_CASE("checkerboard: the eight squares where the signs of the sines differ, evenly") {
  Index const n = 80000;
  auto const points = make(PointSet::checkerboard, n);
  float right = -9, left = 9;
  for (float const value : points.span()) {
    right = std::max(right, value);
    left = std::min(left, value);
  }
  double const a = 4 * std::numbers::pi / (static_cast<double>(right) - static_cast<double>(left));
  Unscaled const raw{a, 2 * std::numbers::pi - a * static_cast<double>(right)};
  std::array<int, 16> squares{};
  for (Index i = 0; i < n; ++i) {
    double const x = raw(points.data()[2 * i]), y = raw(points.data()[2 * i + 1]);
    if (std::sin(x) * std::sin(y) > 1e-3) FAIL_CHECK("(" << x << ", " << y << ") is in a wrong square");
    auto const cell = [](double v) {
      return static_cast<std::size_t>(std::clamp(std::floor(v / std::numbers::pi) + 2, 0.0, 3.0));
    };
    ++squares[4 * cell(x) + cell(y)];
  }
  for (std::size_t i = 0; i < 16; ++i)
    if ((i / 4 + i % 4) % 2 == 1) CHECK(std::abs(squares[i] - 10000) < 5 * std::sqrt(10000.0) + 30);
}

TEST_CASE("points depend on the seed and the draw alone") {
  for (std::size_t k = 0; k < data::point_set_names.size(); ++k) {
    auto const set = data::point_set_by_name(data::point_set_names[k]);
    CHECK(to_text(set) == data::point_set_names[k]);
    INFO(to_text(set));
    Rng rng(1);
    auto const first = data::points(set, 5000, rng), second = data::points(set, 5000, rng);
    CHECK(same_bits(first, make(set, 5000)));
    CHECK_FALSE(same_bits(first, second));
    CHECK_FALSE(same_bits(first, make(set, 5000, 2)));
    check_threads([&] { return make(set, 5000); });
  }
}

TEST_CASE("bad requests for points are refused") {
  require_error([] { make(PointSet::moon, 1); }, "given 1 points");
  require_error([] { make(PointSet::gaussian_centered, -5); }, "given -5 points");
  require_error([] { data::point_set_by_name("spiral"); }, "given set 'spiral', wanted one of gaussian_centered");
}
