// Convolutions on the GPU against sums in double.
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/conv2d.hpp>
#include <stipple/autograd/conv_transpose2d.hpp>
#include <stipple/cuda.hpp>

#include "check.hpp"
#include "conv_sizes.hpp"
#include "exact_products.hpp"
#include "orders.hpp"

using namespace conv;
using namespace stipple;

namespace {

template <class T>
double error_of(const Tensor<T, Cuda>& given, const naive::Exact& wanted) {
  return naive::relative_error(to<Cpu>(given), wanted);
}

/// Allows for what the libraries round to bf16 besides the result: bias, and the result before the addend.
void allow_roundings(naive::Exact& wanted, const Operands<bf16>& t) {
  double const per_term = 8 * naive::half_ulp(float());  // see relative_error
  Index const channels = t.bias.size(), sample = wanted.value.size() / t.addend.dim(0);
  for (Index i = 0; i < wanted.value.size(); ++i) {
    double const bias = std::abs(t.bias.data()[i % channels]);
    auto const addend = static_cast<double>(t.addend.data()[i / sample * channels + i % channels]);
    double const before = std::abs(wanted.value.data()[i] - addend);
    wanted.magnitude.data()[i] += naive::half_ulp(bf16()) * (bias + before) / per_term;
  }
}

template <class T>
void check_size(const Size& s) {
  INFO(dtype_name<T>() << " " << s.text());
  Operands<T> const t(s);
  Wanted<T> wanted(s, t);
  if constexpr (std::is_same_v<T, bf16>) allow_roundings(wanted.full, t);
  auto const x = to<Cuda>(t.x), weight = to<Cuda>(t.weight), dy = to<Cuda>(t.dy), addend = to<Cuda>(t.addend);
  auto const bias = to<Cuda>(t.bias);
  CHECK(error_of(ops::conv2d(x, weight, s.spec()), wanted.y) <= 1);
  CHECK(error_of(ops::conv2d(x, weight, s.spec(), bias, addend, dy), wanted.full) <= 1);
  CHECK(error_of(ops::conv2d_backward_input(dy, weight, s.x, s.spec()), wanted.dx) <= 1);
  // cuDNN gives the gradient of a bf16 weight in bf16.
  CHECK(error_of(ops::cast<T>(ops::conv2d_backward_weight(dy, x, s.weight(), s.spec())), wanted.dw) <= 1);
}

template <class T>
void check_sizes(const std::vector<Size>& all) {
  for (auto const& s : all) {
#if defined(STIPPLE_CUDA_SIMULATION)
    if (by_winograd<T>(s)) continue;  // the executor's convolutions are the CPU's, and these have bounds of their own
#endif
    check_size<T>(s);
  }
}

/// y, and the gradients of x, weight, bias and addend, of a group norm, a convolution and what is added to it.
template <class T, Device D>
std::vector<Tensor<float>> run_layer(const Operands<T>& t, const Size& s) {
  using Full = Tensor<accumulate_t<T>, D>;
  Var<T, D> const x(to<D>(t.x), true), weight(to<D>(t.weight), true), addend(to<D>(t.addend), true);
  Var<accumulate_t<T>, D> const bias(to<D>(t.bias), true);
  Var<accumulate_t<T>, D> const norm_weight(Full({s.x[3]}, 1.5f), true), norm_bias(Full({s.x[3]}, 0.25f), true);
  auto const y = norm_conv2d(x, {norm_weight, norm_bias, {2, 1e-5, Activation::silu}}, weight, s.spec(),
                             {bias, addend, Var<T, D>(to<D>(t.dy))});
  y.backward(to<D>(t.dy));
  auto const host = [](auto const& tensor) { return ops::cast<float>(to<Cpu>(tensor)); };
  return {host(y.value()),     host(x.grad()),           host(weight.grad()),   host(bias.grad()),
          host(addend.grad()), host(norm_weight.grad()), host(norm_bias.grad())};
}

template <class T, Device D>
std::vector<Tensor<float>> run_transpose(const Tensor<T>& x, const Tensor<T>& weight, const Tensor<float>& bias,
                                         const ConvTranspose2dSpec& spec) {
  Var<T, D> const input(to<D>(x), true), kernel(to<D>(weight), true);
  Var<accumulate_t<T>, D> const shift(to<D>(bias), true);
  auto const y = conv_transpose2d(input, kernel, spec, shift);
  y.backward(y.value());
  auto const host = [](auto const& tensor) { return ops::cast<float>(to<Cpu>(tensor)); };
  return {host(y.value()), host(input.grad()), host(kernel.grad()), host(shift.grad())};
}

/// Requires |a - b| <= within * the largest |b|, tensor by tensor.
void require_all_close(const std::vector<Tensor<float>>& given, const std::vector<Tensor<float>>& wanted,
                       double within) {
  REQUIRE(given.size() == wanted.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    INFO("tensor " << i);
    double largest = 0;
    for (float const value : wanted[i].span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
    REQUIRE(given[i].shape() == wanted[i].shape());
    REQUIRE(max_abs_difference(given[i].span(), wanted[i].span()) <= within * largest);
  }
}
template <class T>
constexpr double rounding = std::is_same_v<T, float> ? 2e-5 : 2e-2;

}  // namespace

TEMPLATE_TEST_CASE("Convolutions on the GPU agree with sums in double", "[conv2d]", float, bf16) {
  check_sizes<TestType>(sizes);
  check_sizes<TestType>(gradient_sizes);
}
TEMPLATE_TEST_CASE("Depthwise convolutions on the GPU agree with sums in double", "[conv2d]", float, bf16) {
  check_sizes<TestType>(depthwise_sizes);
}

TEMPLATE_TEST_CASE("A norm and a convolution on the GPU have the gradients of the CPU's", "[conv2d]", float, bf16) {
  for (Size const& s : {Size{{2, 7, 6, 8}, 5, 3, 3, 1, 1, 1, 1}, Size{{2, 7, 6, 8}, 12, 1, 1, 1, 0, 1, 1},
                        Size{{3, 8, 8, 4}, 6, 4, 4, 2, 1, 1, 2}}) {
    Operands<TestType> const t(s);
    auto const wanted = run_layer<TestType, Cpu>(t, s);
    for_each_order([&] { require_all_close(run_layer<TestType, Cuda>(t, s), wanted, rounding<TestType>); });
  }
}

TEMPLATE_TEST_CASE("Transposed convolutions on the GPU are those of the CPU", "[conv_transpose2d]", float, bf16) {
  for (ConvTranspose2dSpec const& spec :
       {ConvTranspose2dSpec{2, 1, 0, 1, 1}, ConvTranspose2dSpec{2, 1, 1, 1, 1}, ConvTranspose2dSpec{1, 0, 0, 2, 3}}) {
    auto const x = random_tensor<TestType>({2, 5, 4, 6}, 1), weight = random_tensor<TestType>({4, 4, 3, 6}, 2);
    auto const bias = random_tensor<float>({3 * spec.groups}, 3);
    auto const wanted = run_transpose<TestType, Cpu>(x, weight, bias, spec);
    for_each_order(
        [&] { require_all_close(run_transpose<TestType, Cuda>(x, weight, bias, spec), wanted, rounding<TestType>); });
  }
}

TEST_CASE("Convolutions on the GPU of no images", "[conv2d]") {
  Tensor<float, Cuda> const x(Shape{0, 4, 4, 8}), weight({3, 3, 8, 6}, 1), dy(Shape{0, 4, 4, 6});
  Conv2dSpec const spec{.padding = 1};
  REQUIRE(ops::conv2d(x, weight, spec).shape() == dy.shape());
  REQUIRE(ops::conv2d_backward_input(dy, weight, x.shape(), spec).shape() == x.shape());
  auto const dw = to<Cpu>(ops::conv2d_backward_weight(dy, x, weight.shape(), spec));
  for (float const value : dw.span()) REQUIRE(value == 0);
}
