// 3x3 convolutions of bf16 by minimal filtering: close to the sums, and nothing but a sample's shape decides on bits.
#include <cmath>
#include <optional>

#include "conv_sizes.hpp"

using namespace conv;
using namespace stipple;

namespace {

/// Largest error in units of what may be expected: the rounding of the result and, for the transforms in float, a
/// two-thousandth of the results' root mean square, which is an eighth of bf16's unit there.
template <class T>
double error_of(const Tensor<T>& given, const naive::Exact& wanted) {
  double squares = 0, worst = 0;
  for (double v : wanted.value.span()) squares += v * v;
  double const slack = std::sqrt(squares / static_cast<double>(given.size())) / 2048;
  for (Index i = 0; i < given.size(); ++i) {
    double const value = wanted.value.data()[i], error = std::abs(static_cast<double>(given.data()[i]) - value);
    double const share = error / (naive::half_ulp(T()) * std::abs(value) + slack);
    if (!(share <= worst)) worst = std::isnan(share) ? HUGE_VAL : share;
  }
  return worst;
}

}  // namespace

TEST_CASE("convolutions by minimal filtering agree with sums in double", "[conv2d]") {
  int taken = 0;
  for (auto const& all : {sizes, gradient_sizes, winograd_sizes}) {
    for (auto const& s : all) {
      INFO(s.text());
      Operands<bf16> const t(s);
      std::optional<Wanted<bf16>> wanted;
      for_each_product_isa([&](Isa isa) {
        if (!by_winograd<bf16>(s)) return;
        taken += isa == Isa::portable;
        if (!wanted) wanted.emplace(s, t);
        CHECK(error_of(ops::conv2d(t.x, t.weight, s.spec()), wanted->y) <= 1);
        CHECK(error_of(ops::conv2d(t.x, t.weight, s.spec(), t.bias, t.addend, t.dy), wanted->full) <= 1);
        CHECK(error_of(ops::conv2d_backward_input(t.dy, t.weight, s.x, s.spec()), wanted->dx) <= 1);
        CHECK(error_of(ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec()), wanted->dw) <= 1);
      });
    }
  }
  CHECK(taken > 12);
}

TEST_CASE("convolution by minimal filtering depends neither on threads nor on the batch", "[conv2d]") {
  for_each_product_isa([](Isa) {
    for (auto const& s : {Size{{16, 14, 15, 32}, 32, 3, 3, 1, 1, 1, 1}, Size{{16, 8, 8, 32}, 32, 3, 3, 1, 1, 1, 1}}) {
      INFO(s.text());
      Operands<bf16> const t(s);
      auto const forward = [&](const Tensor<bf16>& x) {
        auto const addend = ops::sum_to<bf16>(x, Tensor<bf16>(), {x.dim(0), x.dim(3)});
        return ops::conv2d(x, t.weight, s.spec(), t.bias, addend, x);
      };
      auto const backward = [&](const Tensor<bf16>& dy) {
        return ops::conv2d_backward_input(dy, t.weight, dy.shape(), s.spec());
      };
      check_batch(t.x, forward);
      check_batch(t.dy, backward);
      check_threads([&] { return forward(t.x); });
      check_threads([&] { return backward(t.dy); });
      check_threads([&] { return ops::conv2d_backward_weight(t.dy, t.x, s.weight(), s.spec()); });
    }
  });
}

TEST_CASE("minimal filtering takes bf16 without AMX, and a NaN fills the tiles that read it and no others",
          "[conv2d]") {
  Size const s{{2, 14, 14, 32}, 32, 3, 3, 1, 1, 1, 1};
  for_each_product_isa([&](Isa isa) {
    Operands<bf16> const t(s);
    auto const clean = ops::conv2d(t.x, t.weight, s.spec());
    auto x = t.x.clone();
    Index const row = 3, column = 8;  // of the tile at (0, 7), which is one of 7 x 7
    x.data()[((14 + row) * 14 + column) * 32 + 31] = bf16(std::nanf(""));
    auto const y = ops::conv2d(x, t.weight, s.spec());
    Index nans = 0;
    for (Index i = 0; i < y.size(); ++i) {
      bool const nan = std::isnan(static_cast<float>(y.data()[i]));
      nans += nan;
      if (!nan) REQUIRE(y.data()[i].bits == clean.data()[i].bits);
    }
    CHECK(nans == 32 * (isa == Isa::amx ? 9 : 49));
  });
}
