#include <stipple/autograd/arithmetic.hpp>
#include <stipple/nn/parameter.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {
Var<double> leaf(std::initializer_list<double> values) {
  return Var<double>(Tensor<double>({static_cast<Index>(values.size())}, values), true);
}
std::size_t bytes_in_use() { return Context::instance().allocator.report().in_use; }
}  // namespace

TEST_CASE("gradients of a diamond are summed where its branches meet", "[autograd]") {
  auto const x = leaf({2, 3});
  auto const y = x * x;
  auto const left = affine(y, 3);
  auto const right = y * x;
  Tensor<double> const ones({2}, 1.0);
  (left + right).backward(ones);  // 3 x^2 + x^3
  CHECK(x.grad().data()[0] == 6 * 2 + 3 * 4);
  CHECK(x.grad().data()[1] == 6 * 3 + 3 * 9);
}

TEST_CASE("a value used many times receives every gradient", "[autograd]") {
  auto const x = leaf({1.5});
  auto y = x;
  for (int i = 0; i < 10; ++i) y = y + y;  // 1024 x
  y.backward();
  CHECK(x.grad().item() == 1024);
  check_gradients([](auto const& v) { return (v[0] * v[1] + v[0]) * (v[0] - v[1]) * v[0]; },
                  {random_tensor<double>({3, 4}), random_tensor<double>({3, 4}, 2)});
}

TEST_CASE("two calls of backward add up, and zero_grad starts over", "[autograd]") {
  auto x = leaf({2});
  (x * x).backward();
  CHECK(x.grad().item() == 4);
  affine(x, 10).backward();
  CHECK(x.grad().item() == 14);
  x.zero_grad();
  affine(x, 5).backward();
  CHECK(x.grad().item() == 5);
}

TEST_CASE("the seed of backward scales the gradient", "[autograd]") {
  auto const x = leaf({2, 3});
  (x * x).backward(Tensor<double>({2}, {1, 10}));
  CHECK(x.grad().data()[0] == 4);
  CHECK(x.grad().data()[1] == 60);
  require_error([&] { (x * x).backward(Tensor<double>({3}, 1.0)); }, "backward: given a seed of shape (3), wanted (2)");
  require_error([&] { (x * x).backward(); }, "backward: given a value of shape (2), wanted one element");
  require_error([] { Var<double>().backward(); }, "backward: given a value of shape ()");
}

TEST_CASE("a tape is used up by backward", "[autograd]") {
  auto const x = leaf({2});
  auto const y = x * x;
  y.backward();
  require_error([&] { y.backward(); }, "used up");
  require_error([&] { affine(y, 2).backward(); }, "used up");
  CHECK(x.grad().item() == 4);
}

TEST_CASE("constants get no gradient and record nothing", "[autograd]") {
  auto const x = leaf({2});
  Var<double> const c(Tensor<double>({1}, 7.0));
  (x * c).backward();
  CHECK(x.grad().item() == 7);
  require_error([&] { (void)c.grad(); }, "only leaves made with requires_grad");
  require_error([&] { (c * c).backward(); }, "does not depend on anything that requires a gradient");
  require_error([] { (void)leaf({1}).grad(); }, "no gradient yet");
}

TEST_CASE("nothing is recorded while a NoGrad lives", "[autograd]") {
  auto const x = leaf({2});
  {
    NoGrad const no_grad;
    {
      NoGrad const inner;
      CHECK_FALSE(x.requires_grad());
    }
    CHECK_FALSE(x.requires_grad());
    auto const y = x * x;
    CHECK(y.sink() == nullptr);
    CHECK(y.item() == 4);
  }
  CHECK(x.requires_grad());
  (x * x).backward();
  CHECK(x.grad().item() == 4);
}

TEST_CASE("a bf16 leaf keeps its gradient in float", "[autograd]") {
  Var<bf16> const x(Tensor<bf16>({1}, bf16(1.0f)), true);
  for (int i = 0; i < 257; ++i) affine(x, 1).backward();
  static_assert(std::same_as<std::remove_cvref_t<decltype(x.grad())>, Tensor<float>>);
  CHECK(x.grad().item() == 257);  // bf16 would stop at 256
}

TEST_CASE("gradients pass between element types", "[autograd]") {
  Var<float> const x(Tensor<float>({2}, {1.0f, 2.0f}), true);
  auto const y = cast<bf16>(x);
  auto const z = cast<float>(y * y);
  z.backward(Tensor<float>({2}, 1.0f));
  CHECK(x.grad().data()[0] == 2);
  CHECK(x.grad().data()[1] == 4);
}

TEST_CASE("backward frees what it kept, even while the result lives on", "[autograd]") {
  auto const x = leaf({1});
  (void)x.sink();
  affine(x, 1).backward();  // so that the leaf's own gradient exists
  auto const before = bytes_in_use();
  {
    Var<double> const big(Tensor<double>({1000, 1000}, 1.0));
    auto const y = big * x;
    auto const z = y * y;
    auto const loss = Var<double>(record(Tensor<double>({1}, 0.0), std::tie(z), [s = z.shape()](const Tensor<double>&) {
      return std::tuple(Tensor<double>(s, 1.0));
    }));
    auto const kept = bytes_in_use();
    loss.backward();
    CHECK(bytes_in_use() <= kept);  // intermediate gradients are gone
  }
  CHECK(bytes_in_use() == before);
}

TEST_CASE("a recorded value holds its operands only as long as the tape does", "[autograd]") {
  auto const x = leaf({1});
  std::size_t const base = bytes_in_use();
  Var<double> loss;
  {
    Var<double> const big(Tensor<double>({1000, 1000}, 1.0));
    auto const y = big * x;
    loss =
        record(Tensor<double>({1}, 0.0), std::tie(y), [t = y.value()](const Tensor<double>&) { return std::tuple(t); });
  }
  CHECK(bytes_in_use() > base + 8'000'000);
  loss.backward();
  CHECK(bytes_in_use() < base + 8'000);
}

TEST_CASE("chains longer than the stack is deep run and are freed", "[autograd]") {
  auto const x = leaf({1});
  auto y = x;
  for (int i = 0; i < 200'000; ++i) y = affine(y, 1, 1);
  y.backward();
  CHECK(x.grad().item() == 1);
  y = x;
  for (int i = 0; i < 200'000; ++i) y = y + y;
  CHECK(y.requires_grad());
  y = {};  // never went through backward
}

TEST_CASE("a rule with several inputs of different types serves each", "[autograd]") {
  Var<bf16> const a(random_tensor<bf16>({4, 3}), true);
  Var<float> const b(random_tensor<float>({3}, 2), true);
  (a * b).backward(Tensor<bf16>({4, 3}, bf16(1.0f)));
  CHECK(a.grad().shape() == Shape{4, 3});
  CHECK(b.grad().shape() == Shape{3});
  for (Index i = 0; i < 3; ++i) {
    float column = 0;
    for (Index n = 0; n < 4; ++n) column += static_cast<float>(a.value().data()[n * 3 + i]);
    CHECK(b.grad().data()[i] == Approx(column).epsilon(1e-6));
    CHECK(a.grad().data()[i] == static_cast<float>(bf16(b.value().data()[i])));
  }
}

TEST_CASE("an operation on a vector of values hands each its gradient", "[autograd]") {
  std::vector<Var<double>> const inputs{leaf({1}), Var<double>(Tensor<double>({1}, 2.0)), leaf({3})};
  auto const y = record(Tensor<double>({1}, 0.0), inputs, [](const Tensor<double>& dy) {
    return std::vector<Tensor<double>>{ops::affine(dy, 10), Tensor<double>(), ops::affine(dy, 30)};
  });
  y.backward();
  CHECK(inputs[0].grad().item() == 10);
  CHECK(inputs[2].grad().item() == 30);
}

TEST_CASE("reshape shares storage and turns its gradient back", "[autograd]") {
  auto const x = leaf({1, 2, 3, 4, 5, 6});
  auto const y = reshape(x, {2, 3});
  CHECK(y.value().data() == x.value().data());
  (y * y).backward(Tensor<double>({2, 3}, 1.0));
  CHECK(x.grad().shape() == Shape{6});
  CHECK(x.grad().data()[4] == 10);
  require_error([&] { (void)reshape(x, {4}); }, "reshape: given shape (4) for a tensor of shape (6)");
}
