#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/concat.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

TEST_CASE("concat joins the last axis, and split cuts it again", "[concat]") {
  for (Shape const& shape : {Shape{2, 5, 7, 1}, Shape{1, 1, 1, 1}, Shape{3, 1}, Shape{1}, Shape{128, 1}, Shape{0, 4}}) {
    INFO(to_text(shape));
    std::vector<Tensor<float>> parts;
    Index const sizes[] = {3, 1, 64, 0, 17};
    for (Index size : sizes)
      parts.push_back(random_tensor<float>(shape.with(-1, size), static_cast<std::uint64_t>(size)));
    auto const y = ops::concat(parts);
    CHECK(y.shape() == shape.with(-1, 85));
    Index const rows = shape.count(0, shape.rank() - 1);
    bool equal = true;
    for (Index row = 0; row < rows; ++row) {
      Index at = 0;
      for (auto const& part : parts)
        for (Index c = 0; c < part.dim(-1); ++c, ++at)
          equal = equal && y.data()[row * 85 + at] == part.data()[row * part.dim(-1) + c];
    }
    CHECK(equal);
    auto const again = ops::split(y, {3, 1, 64, 0, 17});
    for (std::size_t i = 0; i < parts.size(); ++i) CHECK(same_bits(again[i], parts[i]));
  }
  auto const one = random_tensor<bf16>({2, 3});
  CHECK(same_bits(ops::concat<bf16, Cpu>({one}), one));
}

TEST_CASE("concat and split keep the bits of NaN", "[concat]") {
  Tensor<bf16> const x({1}, std::bit_cast<bf16>(std::uint16_t{0x7f81}));  // signalling, with a payload
  CHECK(ops::concat<bf16, Cpu>({x, x}).data()[1].bits == 0x7f81);
}

TEST_CASE("concat and split pass finite differences", "[concat]") {
  auto const a = random_tensor<double>({2, 3, 2}, 1), b = random_tensor<double>({2, 3, 5}, 2);
  auto const c = random_tensor<double>({2, 3, 1}, 3);
  check_gradients([](auto const& v) { return concat(v[0], v[1]); }, {a, b});
  check_gradients(
      [](auto const& v) {
        return concat({v[0], v[1], v[0], v[2]}) * concat(v[2], v[1], v[0], v[0]);
      },
      {a, b, c});
  check_gradients([](auto const& v) { return slice_last(v[0], 1, 3); }, {b});
  check_gradients(
      [](auto const& v) {
        auto const parts = split(v[0], {2, 1, 2});
        return parts[0] * parts[2] + parts[1] * parts[1];
      },
      {random_tensor<double>({4, 5})});
}

TEST_CASE("concat gives no gradient to operands that need none", "[concat]") {
  Var<float> const x(Tensor<float>({2, 2}, 1.0f), true), constant(Tensor<float>({2, 3}, 1.0f));
  auto const y = concat(constant, x);
  y.backward(Tensor<float>({2, 5}, 1.0f));
  CHECK(same_bits(x.grad(), Tensor<float>({2, 2}, 1.0f)));
}

TEST_CASE("concat does not depend on threads or batch", "[concat]") {
  auto const x = random_tensor<bf16>({5, 40, 40, 24});
  auto const twice = [](const Tensor<bf16>& t) { return ops::concat<bf16, Cpu>({t, t}); };
  check_threads([&] { return twice(x); });
  check_threads([&] { return ops::slice_last(x, 3, 15); });
  check_batch(x, twice);
}

TEST_CASE("concat and split refuse shapes that do not fit", "[concat]") {
  Tensor<float> const a({2, 3, 4}, 0.0f), b({2, 4, 4}, 0.0f), c({2, 3}, 0.0f);
  require_error([&] { (void)ops::concat<float, Cpu>({a, b}); }, "concat: given shapes (2, 3, 4) and (2, 4, 4)");
  require_error([&] { (void)ops::concat<float, Cpu>({a, c}); }, "concat: given shapes (2, 3, 4) and (2, 3)");
  require_error([&] { (void)ops::concat(std::vector<Tensor<float>>{}); }, "concat: given nothing");
  require_error([&] { (void)ops::concat(std::vector<Tensor<float>>{Tensor<float>()}); }, "concat: given shapes ()");
  require_error([&] { (void)concat(Var<float>(a), Var<float>()); }, "concat: given shapes (2, 3, 4) and ()");
  require_error([&] { (void)concat(std::vector<Var<float>>{}); }, "concat: given nothing");
  require_error([&] { (void)ops::split(a, {2, 3}); }, "split: given shape (2, 3, 4) and sizes that add up to 5");
  require_error([&] { (void)ops::split(a, {5, -1}); }, "split: given a size of -1");
  require_error([&] { (void)split(Var<float>(a), {2, 3}); }, "split: given shape (2, 3, 4)");
  require_error([&] { (void)split(Var<float>(a), {5, -1}); }, "slice_last: given 5 columns from 0");
  require_error([&] { (void)ops::slice_last(a, 2, 3); }, "slice_last: given 3 columns from 2");
  require_error([&] { (void)ops::slice_last(Tensor<float>(), 0, 0); }, "slice_last");
}
