#include <stipple/metrics/precision_recall.hpp>

#include <array>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

// Loops in double.
double plain_share(const Tensor<float>& x, const Tensor<float>& set, Index k) {
  Index const d = set.dim(1);
  auto const distance = [d](const Tensor<float>& a, Index i, const Tensor<float>& b, Index j) {
    double total = 0;
    for (Index c = 0; c < d; ++c) {
      double const difference = static_cast<double>(a.data()[i * d + c]) - static_cast<double>(b.data()[j * d + c]);
      total += difference * difference;
    }
    return total;
  };
  Index inside = 0;
  for (Index i = 0; i < x.dim(0); ++i) {
    bool found = false;
    for (Index j = 0; j < set.dim(0); ++j) {
      std::vector<double> others;
      for (Index l = 0; l < set.dim(0); ++l)
        if (l != j) others.push_back(distance(set, j, set, l));
      std::sort(others.begin(), others.end());
      found = found || distance(x, i, set, j) <= others[static_cast<std::size_t>(k - 1)];
    }
    inside += found ? 1 : 0;
  }
  return static_cast<double>(inside) / static_cast<double>(x.dim(0));
}

Tensor<float> line(std::initializer_list<float> values) {
  Tensor<float> x({static_cast<Index>(values.size()), 1});
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

}  // namespace

TEST_CASE("precision and recall of points on a line") {
  // With k = 1 the real balls are [-1, 1], [0, 2], [1, 7]... around 0, 1, 4; the generated ones [9, 11] and [10, 12],
  // [5, 15].
  auto const real = line({0, 1, 4}), generated = line({6, 10, 11});
  auto const found = precision_recall(real, generated, 1);
  CHECK(found.precision == Approx(1.0 / 3));  // 6 lies in the ball of 4, of radius 3
  CHECK(found.recall == Approx(1.0 / 3));     // 4 lies in the ball of 6, of radius 4
}

TEST_CASE("precision and recall tell a lack of variety from a lack of quality") {
  auto const real = random_tensor({300, 8}, 1);
  auto const same = precision_recall(real, real);
  CHECK(same.precision == 1);
  CHECK(same.recall == 1);
  auto const few = precision_recall(real, ops::affine(random_tensor({300, 8}, 2), 0.3));
  CHECK(few.precision > 0.95);
  CHECK(few.recall < 0.3);
  auto const wide = precision_recall(real, ops::affine(random_tensor({300, 8}, 2), 3));
  CHECK(wide.precision < 0.3);
  CHECK(wide.recall > 0.95);
  auto const far = precision_recall(real, ops::affine(random_tensor({300, 8}, 2), 1, 100));
  CHECK(far.precision == 0);
  CHECK(far.recall == 0);
}

TEST_CASE("precision and recall agree with plain loops") {
  for (Index const k : {1, 3, 7})
    for (auto const& [n, m, d] : {std::array<Index, 3>{9, 12, 2}, {60, 45, 5}, {300, 280, 16}}) {
      if (n == 300 && k != 3) continue;
      INFO(n << " and " << m << " vectors of " << d << ", k = " << k);
      auto const real = random_tensor({n, d}, 1), generated = random_tensor({m, d}, 2);
      double const precision = plain_share(generated, real, k), recall = plain_share(real, generated, k);
      double const one_generated = 1.01 / static_cast<double>(m), one_real = 1.01 / static_cast<double>(n);
      for_each_isa([&](Isa) {  // a tie may fall either way
        auto const found = precision_recall(real, generated, k);
        CHECK(found.precision == Approx(precision).margin(one_generated));
        CHECK(found.recall == Approx(recall).margin(one_real));
      });
    }
}

TEST_CASE("precision and recall refuse too few vectors") {
  auto const x = random_tensor({4, 3});
  require_error([&] { precision_recall(x, random_tensor({3, 3})); }, "N at least 4");
  require_error([&] { precision_recall(x, x, 0); }, "given 0 neighbours");
  require_error([&] { precision_recall(x, random_tensor({4, 2})); }, "given features of 3 and of 2 dimensions");
}
