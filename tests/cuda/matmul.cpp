#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/matmul.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

struct Size {
  Index m, n, k;
};
constexpr Size sizes[] = {{1, 1, 1}, {2, 3, 2}, {7, 16, 3}, {13, 64, 64}, {29, 97, 2}, {101, 3, 107}, {17, 5, 2053}};

// Sums of k products of numbers around 2.
template <class T>
double within(Index k) {
  return 4 * tolerance<T> * std::sqrt(static_cast<double>(k));
}

template <class T>
void compare_products(const Size& s) {
  INFO("m " << s.m << ", n " << s.n << ", k " << s.k);
  for (bool const turn_a : {false, true}) {
    for (bool const turn_b : {false, true}) {
      ops::MatmulSpec const spec{turn_a, turn_b};
      auto const a = random_tensor<T>(turn_a ? Shape{3, s.k, s.m} : Shape{3, s.m, s.k}, 1);
      auto const b = random_tensor<T>(turn_b ? Shape{3, s.n, s.k} : Shape{3, s.k, s.n}, 2);
      require_close(ops::matmul(to<Cuda>(a), to<Cuda>(b), spec), ops::matmul(a, b, spec), within<T>(s.k));
      auto const of_one = [](const auto& x) { return x.slice(1, 2).reshape({x.dim(1), x.dim(2)}); };
      require_close(ops::matmul(of_one(to<Cuda>(a)), of_one(to<Cuda>(b)), spec),
                    ops::matmul(of_one(a), of_one(b), spec), within<T>(s.k));
    }
  }
}

template <class T>
void compare_linear(const Size& s) {
  INFO("m " << s.m << ", n " << s.n << ", k " << s.k);
  auto const x = random_tensor<T>({s.m, s.k}, 1), weight = random_tensor<T>({s.k, s.n}, 2),
             residual = random_tensor<T>({s.m, s.n}, 3);
  auto const bias = random_tensor<float>({s.n}, 4);
  auto const dx = to<Cuda>(x), dweight = to<Cuda>(weight), dresidual = to<Cuda>(residual);
  auto const dbias = to<Cuda>(bias);
  for (bool const with_bias : {false, true}) {
    for (bool const with_residual : {false, true}) {
      auto const wanted =
          ops::linear(x, weight, with_bias ? bias : Tensor<float>(), with_residual ? residual : Tensor<T>());
      require_close(ops::linear(dx, dweight, with_bias ? dbias : Tensor<float, Cuda>(),
                                with_residual ? dresidual : Tensor<T, Cuda>()),
                    wanted, within<T>(s.k));
    }
  }
  require_close(ops::linear(displaced(x), displaced(weight), dbias), ops::linear(x, weight, bias), within<T>(s.k));
  require_close(ops::linear_backward_input(dresidual, dweight), ops::linear_backward_input(residual, weight),
                within<T>(s.n));
  require_close(ops::linear_backward_weight(dresidual, dx), ops::linear_backward_weight(residual, x),
                within<float>(s.m));
}

template <class T, Device D>
std::vector<Tensor<float, D>> gradients_of_linear(const Tensor<T, D>& x, const Tensor<T, D>& weight,
                                                  const Tensor<accumulate_t<T>, D>& bias, const Tensor<T, D>& dy) {
  Var<T, D> const input(x, true), parameter(weight, true), residual(dy, true);
  Var<accumulate_t<T>, D> const shift(bias, true);
  linear(input, parameter, shift, residual).backward(dy);
  return {input.grad(), parameter.grad(), shift.grad(), residual.grad()};
}

}  // namespace

TEMPLATE_TEST_CASE("Matrix products on the GPU are those of the CPU", "[matmul]", float, bf16) {
  for (Size const& size : sizes) compare_products<TestType>(size);
}

TEMPLATE_TEST_CASE("Linear maps on the GPU are those of the CPU", "[matmul]", float, bf16) {
  for (Size const& size : sizes) compare_linear<TestType>(size);
}

TEMPLATE_TEST_CASE("Linear maps on the GPU have the gradients of the CPU's", "[matmul]", float, bf16) {
  auto const x = random_tensor<TestType>({3, 5, 17}, 1), weight = random_tensor<TestType>({17, 12}, 2),
             dy = random_tensor<TestType>({3, 5, 12}, 3);
  auto const bias = random_tensor<float>({12}, 4);
  auto const wanted = gradients_of_linear(x, weight, bias, dy);
  for_each_order([&] {
    auto const given = gradients_of_linear(to<Cuda>(x), to<Cuda>(weight), to<Cuda>(bias), to<Cuda>(dy));
    for (std::size_t i = 0; i < wanted.size(); ++i) require_close(given[i], wanted[i], within<TestType>(17));
  });
}

TEMPLATE_TEST_CASE("Matrix products on the GPU without terms, rows or columns", "[matmul]", float, bf16) {
  using T = TestType;
  auto const bias = random_tensor<float>({4}, 1);
  auto const residual = random_tensor<T>({3, 4}, 2);
  require_close(ops::linear(Tensor<T, Cuda>({3, 0}), Tensor<T, Cuda>({0, 4}), to<Cuda>(bias), to<Cuda>(residual)),
                ops::linear(Tensor<T>({3, 0}), Tensor<T>({0, 4}), bias, residual));
  require_same(ops::linear_backward_weight(Tensor<T, Cuda>({0, 4}), Tensor<T, Cuda>({0, 3})),
               Tensor<float>::zeros({3, 4}));
  require_same(ops::matmul(Tensor<T, Cuda>({2, 3, 0}), Tensor<T, Cuda>({2, 0, 4})), Tensor<T>::zeros({2, 3, 4}));
  REQUIRE(ops::matmul(Tensor<T, Cuda>({0, 3}), Tensor<T, Cuda>({3, 4})).shape() == Shape{0, 4});
  REQUIRE(ops::matmul(Tensor<T, Cuda>({0, 3, 2}), Tensor<T, Cuda>({0, 2, 4})).shape() == Shape{0, 3, 4});
}

TEST_CASE("Products of float on the GPU may use TF32 or not", "[matmul]") {
  REQUIRE_FALSE(cuda::allow_tf32());
  cuda::set_allow_tf32(true);
  REQUIRE(cuda::allow_tf32());
  auto const a = random_tensor<float>({33, 64}, 1), b = random_tensor<float>({64, 17}, 2);
  auto const product = ops::matmul(to<Cuda>(a), to<Cuda>(b));
  cuda::set_allow_tf32(false);
  require_close(product, ops::matmul(a, b), 2e-2);
}
