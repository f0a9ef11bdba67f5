#include <stipple/metrics/fid.hpp>

#include "diffusion/formulas.hpp"
#include "invariance.hpp"
#include "metrics/features.hpp"

using namespace stipple;

TEST_CASE("Frechet distances agree with the references") {
  int count = 0;
  for (auto const& [name, entry] : features::cases().items()) {
    if (!features::tensors().contains(name + ".x")) continue;
    INFO(name);
    ++count;
    auto const x = features::tensors().read<float>(name + ".x"), y = features::tensors().read<float>(name + ".y");
    double const expected = entry.at("fid_eig").get<double>();
    double const allowed = 1e-6 * std::max(1.0, expected);  // roots of eigenvalues that are rounding errors: 1e-8 each
    CHECK(std::abs(frechet_distance(x, y) - expected) <= allowed);
    CHECK(std::abs(frechet_distance(y, x) - expected) <= allowed);
  }
  CHECK(count == 7);
  auto const a = formulas::input<float>("frechet.a"), b = formulas::input<float>("frechet.b");
  CHECK(std::abs(frechet_distance(a, b) - formulas::truth("frechet.distance").item()) <=
        formulas::float_tolerance("frechet.distance"));
}

TEST_CASE("the Frechet distance of fewer vectors than their 2048 dimensions") {
  auto const& c = features::cases().at("fid2048_n200");
  auto const x = features::generated(c, "1", c.at("n1").get<Index>());
  auto const y = features::generated(c, "2", c.at("n2").get<Index>());
  // The reference's features are float64.
  CHECK(frechet_distance(x, y) == Approx(c.at("fid_eig").get<double>()).epsilon(1e-6));
}

TEST_CASE("the Frechet distance of Gaussians has a closed form") {
  // Diagonal covariances: sum over the axes of (m1 - m2)^2 + (s1 - s2)^2.
  Tensor<float> a({4, 2}), b({4, 2});
  float const signs[4][2] = {{1, 1}, {1, -1}, {-1, 1}, {-1, -1}};
  for (Index i = 0; i < 4; ++i)
    for (Index j = 0; j < 2; ++j) {
      float const sign = signs[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
      a.data()[2 * i + j] = 1000 + sign;
      b.data()[2 * i + j] = 1003 + (j == 0 ? 2.0f : 5.0f) * sign;
    }
  double const unit = std::sqrt(4.0 / 3);  // standard deviation of the signs
  double const expected = 2 * 9 + unit * unit * (1 * 1 + 4 * 4);
  CHECK(frechet_distance(a, b) == Approx(expected).epsilon(1e-12));
}

TEST_CASE("feature statistics depend neither on batches nor on threads") {
  auto const x = random_tensor({700, 150});
  FeatureStatistics whole;
  whole.add(x);
  for (Index const size : {Index{1}, Index{64}, Index{257}}) {
    ContextGuard const guard;
    set_num_threads(size == 64 ? 1 : 3);
    FeatureStatistics parts;
    for (Index i = 0; i < x.dim(0); i += size) parts.add(x.slice(i, std::min(i + size, x.dim(0))));
    CHECK(parts.count() == 700);
    CHECK(parts.mean() == whole.mean());
    CHECK(parts.covariance() == whole.covariance());
  }
}

TEST_CASE("bad features are refused") {
  auto const x = random_tensor({4, 3});
  require_error([&] { frechet_distance(x, random_tensor({4, 2})); }, "given features of 3 and of 2 dimensions");
  require_error([&] { frechet_distance(x, random_tensor({1, 3})); }, "wanted (N, D) with N at least 2");
  require_error([&] { frechet_distance(x, random_tensor({3})); }, "given features of shape (3)");
  auto bad = x.clone();
  bad.data()[7] = std::nanf("");
  require_error([&] { frechet_distance(x, bad); }, "feature 1 of vector 2 is not a finite number");
  FeatureStatistics one;
  require_error([&] { one.mean(); }, "given no vectors");
  one.add(x.slice(0, 1));
  require_error([&] { one.covariance(); }, "given 1 vectors");
  require_error([&] { one.add(random_tensor({4, 2})); }, "given features of 2 dimensions after features of 3");
}
