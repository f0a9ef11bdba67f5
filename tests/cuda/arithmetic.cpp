#include <limits>

#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/reduce.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

const std::vector<std::pair<Shape, Shape>> broadcasts{
    {{1}, {1}},
    {{1003}, {1003}},
    {{3, 5, 7, 11}, {11}},
    {{3, 5, 7, 16}, {16}},
    {{4, 9, 24}, {4, 24}},
    {{3, 4, 4, 5}, {3, 1, 1, 5}},
    {{6, 5, 13}, {6, 1}},
    {{2, 3, 3, 8}, {2, 1, 1, 1}},
    {{513, 3}, {1}},
    {{2, 700, 40}, {40}},
    {{1, 4096, 2}, {1, 2}},
    {{2, 20000}, {2, 1}},
};

template <class T, class U>
void compare_arithmetic() {
  for (auto const& [shape, other] : broadcasts) {
    INFO(to_text(shape) << " and " << to_text(other));
    auto const a = random_tensor<T>(shape, 1);
    auto const b = random_tensor<U>(other, 2);
    auto const a_device = to<Cuda>(a);
    auto const b_device = to<Cuda>(b);
    require_same(ops::add(a_device, b_device), ops::add(a, b));
    require_same(ops::subtract(a_device, b_device), ops::subtract(a, b));
    require_same(ops::multiply(displaced(a), b_device), ops::multiply(a, b));
    auto in_place = a_device.clone();
    ops::add_in_place(in_place, b_device);
    require_same(in_place, ops::add(a, b));
    if (shape == other) continue;
    require_close(ops::sum_to<U>(a_device, {}, other), ops::sum_to<U>(a, {}, other), 20 * tolerance<U>);
    auto const factor = random_tensor<T>(shape, 3);
    require_close(ops::sum_to<U>(a_device, to<Cuda>(factor), other), ops::sum_to<U>(a, factor, other),
                  20 * tolerance<U>);
  }
}

}  // namespace

TEST_CASE("Arithmetic on the GPU is that of the CPU", "[arithmetic]") {
  SECTION("float") { compare_arithmetic<float, float>(); }
  SECTION("bf16") { compare_arithmetic<bf16, bf16>(); }
  SECTION("bf16 and float") { compare_arithmetic<bf16, float>(); }
}

TEMPLATE_TEST_CASE("Scaling and conversion on the GPU are those of the CPU", "[arithmetic]", float, bf16) {
  using Other = std::conditional_t<std::is_same_v<TestType, float>, bf16, float>;
  for (Index n : {1, 7, 64, 1001}) {
    auto const x = random_tensor<TestType>({n}, 4);
    require_same(ops::affine(to<Cuda>(x), 1.5, -0.25), ops::affine(x, 1.5, -0.25));
    require_same(ops::affine(displaced(x), -3), ops::affine(x, -3));
    require_same(ops::cast<Other>(to<Cuda>(x)), ops::cast<Other>(x));
    require_same(ops::cast<Other>(displaced(x)), ops::cast<Other>(x));
  }
}

TEMPLATE_TEST_CASE("Sums on the GPU are those of the CPU", "[reduce]", float, bf16) {
  for (Shape const shape :
       {Shape{1}, Shape{33}, Shape{5, 2049}, Shape{3, 9001}, Shape{3, 65, 7}, Shape{2, 1500, 24}, Shape{70000}}) {
    INFO(to_text(shape));
    auto const x = random_tensor<TestType>(shape, 5);
    auto const device = to<Cuda>(x);
    std::vector<Axes> all{{0, 0}, {0, 1}};
    if (shape.rank() > 1) all.push_back({1, 2});
    if (shape.rank() > 2) all.push_back({2, 3});
    for (Axes const axes : all) {
      require_close(ops::sum(device, axes), ops::sum(x, axes), 1e-4);
      require_close(ops::mean(device, axes), ops::mean(x, axes), 1e-5);
      auto const dy = random_tensor<float>(ops::sum(x, axes).shape(), 6);
      require_same(ops::sum_backward<TestType>(to<Cuda>(dy), shape, axes, 0.5),
                   ops::sum_backward<TestType>(dy, shape, axes, 0.5));
    }
    REQUIRE(ops::max(device) == ops::max(x));
  }
}

TEST_CASE("The largest element on the GPU: NaN counts as the largest", "[reduce]") {
  auto x = random_tensor<float>({5000}, 7);
  x.span()[4321] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(std::isnan(ops::max(to<Cuda>(x))));
  Tensor<float> const low({3}, -std::numeric_limits<float>::infinity());
  REQUIRE(ops::max(to<Cuda>(low)) == low.span()[0]);
}

TEST_CASE("Sums on the GPU have the same bits in every order", "[reduce]") {
  auto const x = random_tensor<float>({3, 9000, 5}, 8);
  auto const columns = to<Cpu>(ops::sum(to<Cuda>(x), {1, 2}));
  float const all = ops::sum(to<Cuda>(x)).item();
  for_each_order([&] {
    require_same(ops::sum(to<Cuda>(x), {1, 2}), columns);
    REQUIRE(ops::sum(to<Cuda>(x)).item() == all);
  });
}
