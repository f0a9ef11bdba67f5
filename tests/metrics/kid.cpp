#include <stipple/metrics/kid.hpp>

#include <set>

#include "invariance.hpp"
#include "metrics/features.hpp"

using namespace stipple;

TEST_CASE("kernel distances agree with the references") {
  int count = 0;
  for (auto const& [name, entry] : features::cases().items()) {
    if (!features::tensors().contains(name + ".x")) continue;
    INFO(name);
    ++count;
    auto const x = features::tensors().read<float>(name + ".x"), y = features::tensors().read<float>(name + ".y");
    double const expected = entry.at("kid_unbiased").get<double>();
    for_each_isa([&](Isa) { CHECK(std::abs(kernel_distance(x, y) - expected) <= 1e-6 * (1 + std::abs(expected))); });
  }
  CHECK(count == 7);
  auto const& c = features::cases().at("fid2048_n200");
  auto const x = features::generated(c, "1", c.at("n1").get<Index>());
  auto const y = features::generated(c, "2", c.at("n2").get<Index>());
  CHECK(kernel_distance(x, y) == Approx(c.at("kid_unbiased").get<double>()).epsilon(1e-5));
}

TEST_CASE("kernel distances of given subsets agree with the references") {
  auto const x = features::tensors().read<float>("fid64_full.x"), y = features::tensors().read<float>("fid64_full.y");
  auto const ix = features::tensors().read<std::int32_t>("kid_subsets.ix");
  auto const iy = features::tensors().read<std::int32_t>("kid_subsets.iy");
  auto const gathered = [](const Tensor<float>& all, const Tensor<std::int32_t>& rows, Index subset) {
    Tensor<float> some({rows.dim(1), all.dim(1)});
    for (Index i = 0; i < rows.dim(1); ++i) {
      Index const from = rows.data()[subset * rows.dim(1) + i];
      some.slice(i, i + 1).copy_from(all.slice(from, from + 1));
    }
    return some;
  };
  auto const& expected = features::cases().at("kid_subsets").at("values");
  REQUIRE(expected.size() == 10);
  for (Index s = 0; s < 10; ++s)
    CHECK(kernel_distance(gathered(x, ix, s), gathered(y, iy, s)) ==
          Approx(expected[static_cast<std::size_t>(s)].get<double>()).margin(1e-6));
}

TEST_CASE("the kernel distance over random subsets") {
  auto const x = features::tensors().read<float>("fid64_full.x"), y = features::tensors().read<float>("fid64_full.y");
  Rng rng(3);
  auto const found = kernel_distance(x, y, {.subsets = 50, .subset_size = 100}, rng);
  CHECK(found.mean == Approx(features::value("fid64_full", "kid_unbiased")).margin(0.006));
  CHECK(found.standard_deviation == Approx(0.0237).margin(0.006));  // of 400 subsets, in double elsewhere
  Rng again(3), other(4);
  auto const same = kernel_distance(x, y, {.subsets = 50, .subset_size = 100}, again);
  CHECK(same.mean == found.mean);
  CHECK(same.standard_deviation == found.standard_deviation);
  CHECK(kernel_distance(x, y, {.subsets = 50, .subset_size = 100}, other).mean != found.mean);
  auto const all = kernel_distance(y, y, {.subsets = 2, .subset_size = y.dim(0)}, rng);  // every row once
  CHECK(all.mean == Approx(kernel_distance(y, y)).margin(1e-9));
  CHECK(all.standard_deviation < 1e-9);
}

TEST_CASE("the kernel distance of sets that are too large for one product") {
  auto const x = random_tensor({2500, 3}, 1), y = random_tensor({1300, 3}, 2);
  auto const sum = [](const Tensor<float>& a, const Tensor<float>& b, bool skip_diagonal) {
    double total = 0;
    for (Index i = 0; i < a.dim(0); ++i)
      for (Index j = 0; j < b.dim(0); ++j) {
        double product = 0;
        for (Index d = 0; d < 3; ++d) product += double{a.data()[3 * i + d]} * double{b.data()[3 * j + d]};
        if (!skip_diagonal || i != j) total += std::pow(product / 3 + 1, 3);
      }
    return total;
  };
  double const n = 2500, m = 1300;
  double const wanted =
      sum(x, x, true) / (n * (n - 1)) + sum(y, y, true) / (m * (m - 1)) - 2 * sum(x, y, false) / (n * m);
  CHECK(kernel_distance(x, y) == Approx(wanted).margin(1e-6));
}

TEST_CASE("subsets hold different rows") {
  Tensor<float> x({40, 1});
  for (Index i = 0; i < 40; ++i) x.data()[i] = static_cast<float>(i);
  Rng rng(1);
  auto const first = detail::random_rows(x, 25, rng), second = detail::random_rows(x, 25, rng);
  CHECK(std::set<float>(first.span().begin(), first.span().end()).size() == 25);
  CHECK(max_abs_difference(first, second) > 0);
}

TEST_CASE("subsets that cannot be drawn are refused") {
  auto const x = random_tensor({8, 3});
  Rng rng(1);
  require_error([&] { kernel_distance(x, random_tensor({4, 2})); }, "given features of 3 and of 2 dimensions");
  require_error([&] { kernel_distance(x, random_tensor({1, 3})); }, "N at least 2");
  require_error(
      [&] {
        kernel_distance(x, random_tensor({5, 3}), {.subset_size = 6}, rng);
      },
      "wanted at least 1 of 2 to 5");
  require_error([&] { kernel_distance(x, x, {.subsets = 0, .subset_size = 4}, rng); }, "given 0 subsets");
}
