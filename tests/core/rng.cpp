#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <stipple/tensor/rng.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// Kolmogorov's statistic times sqrt(n): above 1.95 with probability 0.001 if the distribution is `cdf`.
template <class Cdf>
double kolmogorov_smirnov(const Tensor<float>& x, const Cdf& cdf) {
  std::vector<float> sorted(x.span().begin(), x.span().end());
  std::sort(sorted.begin(), sorted.end());
  auto const n = static_cast<double>(sorted.size());
  double largest = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    double const p = cdf(static_cast<double>(sorted[i])), rank = static_cast<double>(i);
    largest = std::max({largest, p - rank / n, (rank + 1) / n - p});
  }
  return largest * std::sqrt(n);
}
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

/// Sum of a^i over the tensor divided by its size.
double moment(const Tensor<float>& x, int power) {
  double total = 0;
  for (float value : x.span()) total += std::pow(static_cast<double>(value), power);
  return total / static_cast<double>(x.size());
}

}  // namespace

TEST_CASE("normals have the moments and the distribution of N(0, 1)", "[rng]") {
  Rng rng(1);
  auto const x = rng.normal({500, 401});
  double const n = static_cast<double>(x.size());
  // Four standard errors of each sample moment: variances 1, 2, 15, 96 of x, x^2, x^3, x^4.
  CHECK(std::abs(moment(x, 1)) < 4 / std::sqrt(n));
  CHECK(std::abs(moment(x, 2) - 1) < 4 * std::sqrt(2 / n));
  CHECK(std::abs(moment(x, 3)) < 4 * std::sqrt(15 / n));
  CHECK(std::abs(moment(x, 4) - 3) < 4 * std::sqrt(96 / n));
  CHECK(kolmogorov_smirnov(x, normal_cdf) < 1.95);
  auto const beyond = std::count_if(x.span().begin(), x.span().end(), [](float v) { return std::abs(v) > 4; });
  CHECK(beyond >= 3);  // 12.7 expected
  CHECK(beyond <= 30);
}

TEST_CASE("neighbouring normals are uncorrelated, within and between samples", "[rng]") {
  auto const x = Rng(3).normal({300, 300});
  for (Index lag : {Index{1}, Index{2}, Index{3}, Index{300}}) {
    double total = 0;
    for (Index i = 0; i + lag < x.size(); ++i) total += static_cast<double>(x.data()[i]) * x.data()[i + lag];
    CHECK(std::abs(total) < 4 * std::sqrt(static_cast<double>(x.size() - lag)));
  }
}

TEST_CASE("uniforms fill the range from low to high evenly", "[rng]") {
  auto const x = Rng(2).uniform({100, 1001}, -3, 5);
  CHECK(kolmogorov_smirnov(x, [](double v) { return (v + 3) / 8; }) < 1.95);
  for (float v : x.span()) REQUIRE((v >= -3 && v < 5));
}

TEST_CASE("the upper end of a uniform is excluded even where rounding reaches it", "[rng]") {
  float const next = std::nextafter(1.0f, 2.0f);
  auto const x = Rng(2).uniform({1, 1000}, 1.0f, next);
  for (float v : x.span()) REQUIRE(v == 1.0f);
}

TEST_CASE("integers are unbiased over a range that divides no power of two", "[rng]") {
  auto const x = Rng(4).integers({70000}, -3, 4);
  std::vector<int> count(7);
  for (auto v : x.span()) {
    REQUIRE((v >= -3 && v < 4));
    ++count[static_cast<std::size_t>(v + 3)];
  }
  double chi2 = 0;
  for (int c : count) chi2 += (c - 10000.0) * (c - 10000.0) / 10000.0;
  CHECK(chi2 < 22.5);  // six degrees of freedom, p = 0.001
}

TEST_CASE("integers reach both ends of the widest range", "[rng]") {
  auto const x =
      Rng(5).integers({1, 4000}, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
  auto const [low, high] = std::minmax_element(x.span().begin(), x.span().end());
  CHECK(*low < -2140000000);
  CHECK(*high > 2140000000);
  CHECK(std::set<std::int32_t>(x.span().begin(), x.span().end()).size() == 4000);
}

TEST_CASE("a sample's numbers depend on its index alone: not on batch, split or threads", "[rng]") {
  for (Index row : {1, 3, 64, 785}) {
    INFO(row << " elements a sample");
    auto const whole = Rng(7).normal({64, row}, Purpose::noise, 1000);
    CHECK(same_bits(Rng(7).normal({7, row}, Purpose::noise, 1000), whole.slice(0, 7)));
    CHECK(same_bits(Rng(7).normal({1, row}, Purpose::noise, 1041), whole.slice(41, 42)));
    CHECK(same_bits(Rng(7).normal({64, row, 1, 1}, Purpose::noise, 1000).reshape({64, row}), whole));
    auto const uniforms = Rng(7).uniform({64, row}, 0, 1, Purpose::noise);
    CHECK(same_bits(Rng(7).uniform({9, row}, 0, 1, Purpose::noise, 50), uniforms.slice(50, 59)));
    auto const integers = Rng(7).integers({64, row}, 0, 1000, Purpose::noise);
    CHECK(same_bits(Rng(7).integers({9, row}, 0, 1000, Purpose::noise, 50), integers.slice(50, 59)));
  }
  check_threads([] { return Rng(7).normal({64, 785}); });
  check_threads([] { return Rng(7).uniform({640, 78}); });
  check_threads([] { return Rng(7).integers({64000}, 0, 10); });
}

TEST_CASE("the first numbers of a longer sample are those of a shorter one", "[rng]") {
  auto const shorter = Rng(7).normal({1, 5});
  auto const longer = Rng(7).normal({1, 50});
  for (Index i = 0; i < 5; ++i) CHECK(shorter.data()[i] == longer.data()[i]);
}

TEST_CASE("seeds, purposes, draws and samples give different numbers", "[rng]") {
  auto const x = Rng(8).normal({2, 64}, Purpose::noise);
  CHECK_FALSE(same_bits(x, Rng(9).normal({2, 64}, Purpose::noise)));
  CHECK_FALSE(same_bits(x, Rng(8 + (std::uint64_t{1} << 32)).normal({2, 64}, Purpose::noise)));
  CHECK_FALSE(same_bits(x, Rng(8).normal({2, 64}, Purpose::sample)));
  CHECK_FALSE(same_bits(x, Rng(8, 1).normal({2, 64}, Purpose::noise)));
  CHECK_FALSE(same_bits(x, Rng(8, std::uint64_t{1} << 32).normal({2, 64}, Purpose::noise)));
  CHECK_FALSE(same_bits(x, Rng(8).normal({2, 64}, Purpose::noise, std::uint64_t{1} << 32)));
  CHECK_FALSE(same_bits(x.slice(0, 1), x.slice(1, 2)));
}

TEST_CASE("seed and number of draws are the whole state", "[rng]") {
  Rng rng(11);
  (void)rng.normal({3});
  (void)rng.uniform({3});
  CHECK(rng.draws() == 2);
  Rng resumed(rng.seed(), rng.draws());
  CHECK(same_bits(rng.normal({5, 5}), resumed.normal({5, 5})));
  CHECK(same_bits(rng.integers({5, 5}, 0, 9), resumed.integers({5, 5}, 0, 9)));
}

TEST_CASE("an empty range of integers is an error", "[rng]") {
  require_error([] { (void)Rng(0).integers({3}, 2, 2); }, "Rng::integers: given the range [2, 2)");
}
