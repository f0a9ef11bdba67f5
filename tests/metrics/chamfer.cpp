#include <stipple/metrics/chamfer.hpp>

#include <algorithm>

#include "check.hpp"
#include "diffusion/formulas.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

// Two loops in double.
double plain(const Tensor<float>& a, const Tensor<float>& b, ChamferForm form) {
  auto const one_way = [form](const Tensor<float>& from, const Tensor<float>& to) {
    double total = 0;
    Index const d = from.dim(1);
    for (Index i = 0; i < from.dim(0); ++i) {
      double best = 1e300;
      for (Index j = 0; j < to.dim(0); ++j) {
        double squares = 0;
        for (Index k = 0; k < d; ++k) {
          double const x = from.data()[i * d + k] - static_cast<double>(to.data()[j * d + k]);
          squares += x * x;
        }
        best = std::min(best, squares);
      }
      total += best;
    }
    return form == ChamferForm::sum ? total : total / static_cast<double>(from.dim(0));
  };
  return one_way(a, b) + one_way(b, a);
}

}  // namespace

TEST_CASE("Chamfer distances agree with the references") {
  SafetensorsFile const file(STIPPLE_TEST_REFERENCE_DIR "/metrics/chamfer.safetensors");
  auto const index = read_json(STIPPLE_TEST_REFERENCE_DIR "/metrics/chamfer.json");
  int count = 0;
  for (auto const& [name, entry] : index.at("cases").items()) {
    INFO(name);
    ++count;
    double const sum = entry.at("chamfer_sum").get<double>(), mean = entry.at("chamfer_mean").get<double>();
    auto const expected_a = file.read<float>(name + ".min_xy"), expected_b = file.read<float>(name + ".min_yx");
    auto const a = file.read<float>(name + ".x"), b = file.read<float>(name + ".y");
    for_each_isa([&](Isa) {
      // Squared distances in float: a few units of 2^-23 relative.
      CHECK(chamfer_distance(a, b) == Approx(sum).epsilon(1e-6));
      CHECK(chamfer_distance(a, b, ChamferForm::mean) == Approx(mean).epsilon(1e-6));
      CHECK(max_abs_difference(nearest_squared_distances(a, b), expected_a) <= 1e-5);
      CHECK(max_abs_difference(nearest_squared_distances(b, a), expected_b) <= 1e-5);
    });
  }
  CHECK(count > 0);
  auto const a = formulas::input<float>("chamfer.a"), b = formulas::input<float>("chamfer.b");
  CHECK(std::abs(chamfer_distance(a, b) - formulas::truth("chamfer.sum").item()) <=
        std::max(1e-5, formulas::float_tolerance("chamfer.sum")));
  CHECK(std::abs(chamfer_distance(a, b, ChamferForm::mean) - formulas::truth("chamfer.mean").item()) <=
        std::max(1e-6, formulas::float_tolerance("chamfer.mean")));
}

TEST_CASE("Chamfer distance at odd sizes, on every instruction set and number of threads") {
  for (Index const d : {1, 2, 3, 7})
    for (auto const& [n, m] : {std::pair<Index, Index>{1, 1}, {1, 33}, {16, 17}, {100, 15}, {400, 301}}) {
      INFO(n << " and " << m << " points of " << d << " coordinates");
      auto const a = random_tensor({n, d}, 1), b = random_tensor({m, d}, 2);
      for (auto const form : {ChamferForm::sum, ChamferForm::mean})
        for_each_isa([&](Isa) { CHECK(chamfer_distance(a, b, form) == Approx(plain(a, b, form)).epsilon(1e-5)); });
      check_threads([&] { return nearest_squared_distances(a, b); });
      CHECK(chamfer_distance(a, a) == 0);
      CHECK(chamfer_distance(a, b) == chamfer_distance(b, a));
    }
}

TEST_CASE("bad point sets are refused") {
  auto const a = random_tensor({4, 2});
  require_error([&] { chamfer_distance(Tensor<float>({0, 2}), a); }, "given a of shape (0, 2)");
  require_error([&] { chamfer_distance(a, Tensor<float>({0, 2})); }, "given b of shape (0, 2)");
  require_error([&] { chamfer_distance(a, Tensor<float>()); }, "given b of shape ()");
  require_error([&] { chamfer_distance(a, random_tensor({4})); }, "given b of shape (4)");
  require_error([&] { chamfer_distance(a, random_tensor({4, 3})); }, "given points of 2 and of 3 coordinates");
  auto bad = a.clone();
  bad.data()[5] = std::nanf("");
  require_error([&] { chamfer_distance(a, bad); }, "coordinate 1 of point 2 of b is not a finite number");
  bad.data()[5] = std::numeric_limits<float>::infinity();
  require_error([&] { chamfer_distance(bad, a); }, "coordinate 1 of point 2 of a is not a finite number");
}
