#include <limits>

#include <stipple/autograd/softmax.hpp>

#include "check.hpp"
#include "gradient_check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// The definition in double, and its gradient.
Tensor<double> definition(const Tensor<double>& x) {
  Tensor<double> y(x.shape());
  Index const n = x.dim(-1);
  for (Index row = 0; row < x.size() / n; ++row) {
    double total = 0;
    for (Index i = 0; i < n; ++i) total += std::exp(x.data()[row * n + i]);
    for (Index i = 0; i < n; ++i) y.data()[row * n + i] = std::exp(x.data()[row * n + i]) / total;
  }
  return y;
}

template <class T>
void check_definition(const Shape& shape, double tolerance) {
  INFO(dtype_name<T>() << " " << to_text(shape));
  auto const x = ops::cast<T>(ops::affine(random_tensor(shape), 3)), dy = random_tensor<T>(shape, 2);
  auto const exact = [](const auto& t) { return ops::cast<double>(ops::cast<float>(t)); };
  auto const wanted = definition(exact(x));
  for_each_isa([&](Isa) {
    auto const y = ops::softmax(x);
    CHECK(max_abs_difference(y, wanted) <= tolerance);
    CHECK(max_abs_difference(ops::softmax_backward(dy, y), ops::softmax_backward(exact(dy), exact(y))) <=
          8 * tolerance);
  });
}

}  // namespace

TEST_CASE("softmax is its definition at odd shapes in every instruction set", "[softmax]") {
  for (Shape const& shape :
       {Shape{1, 1}, Shape{5}, Shape{3, 7}, Shape{2, 3, 16}, Shape{100, 31}, Shape{2, 1031}, Shape{3, 33}}) {
    check_definition<float>(shape, 3e-7);
    check_definition<bf16>(shape, 0x1p-8);
  }
}

TEST_CASE("softmax rows of any size sum to one", "[softmax]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Tensor<float> const x({4, 5}, {1000,  1001, 999,    998,   1000, -1000,     -1001, -999, -998,      -1000,
                                 3e38f, 0,    -3e38f, 3e38f, 1,    -infinity, 0,     0,    -infinity, 0});
  for_each_isa([&](Isa) {
    auto const y = ops::softmax(x);
    for (Index row = 0; row < 4; ++row) {
      double total = 0;
      for (Index i = 0; i < 5; ++i) total += static_cast<double>(y.data()[row * 5 + i]);
      CHECK(total == Approx(1));
    }
    CHECK(y.data()[1] == Approx(1 / (std::exp(0.0) + 2 * std::exp(-1.0) + std::exp(-2.0) + std::exp(-3.0))));
    CHECK(y.data()[10] == 0.5f);
    CHECK(y.data()[15] == 0.0f);
    CHECK(y.data()[16] == Approx(1.0 / 3));
  });
}

TEST_CASE("softmax passes finite differences", "[softmax]") {
  for (Shape const& shape : {Shape{3, 7}, Shape{1, 1}, Shape{2, 3, 4}, Shape{5}})
    check_gradients([](auto const& v) { return softmax(v[0]); }, {random_tensor<double>(shape)});
}

TEST_CASE("softmax does not depend on threads, its rows not on the batch", "[softmax]") {
  auto const x = random_tensor<bf16>({13, 37, 75}), dy = random_tensor<bf16>(x.shape(), 2);
  auto const y = ops::softmax(x);
  check_threads([&] { return ops::softmax(x); });
  check_threads([&] { return ops::softmax_backward(dy, y); });
  check_batch(x, [](const Tensor<bf16>& t) { return ops::softmax(t); });
}

TEST_CASE("softmax refuses what does not fit", "[softmax]") {
  require_error([] { (void)ops::softmax(Tensor<float>()); }, "softmax: given shape");
  require_error([] { (void)ops::softmax(Tensor<float>({2, 0})); }, "softmax: given shape (2, 0)");
  require_error(
      [] {
        (void)ops::softmax_backward(Tensor<float>({2, 3}), Tensor<float>({3, 2}));
      },
      "softmax backward: given a gradient of shape (2, 3), wanted (3, 2)");
  CHECK(ops::softmax(Tensor<float>({0, 3})).size() == 0);
}
