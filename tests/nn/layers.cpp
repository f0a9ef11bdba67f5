// Layers: the names and shapes of their parameters, where these start, and configurations that cannot be.
#include <stipple/nn/conv.hpp>
#include <stipple/nn/dropout.hpp>
#include <stipple/nn/embedding.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/norm.hpp>
#include <stipple/nn/timestep_mlp.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// "name (shape)" of every parameter, in order.
template <class Layer>
std::vector<std::string> leaves(const Layer& layer) {
  std::vector<std::string> result;
  for_each_leaf(layer, [&](const std::string& name, auto const& leaf) {
    result.push_back(name + " " + to_text(leaf.var.value().shape()));
  });
  return result;
}

using Names = std::vector<std::string>;

/// The numbers look uniform in [-bound, bound): none beyond, the largest close to it, mean and variance as they should
/// be within five standard errors.
template <class T>
void check_uniform(const Tensor<T>& x, double bound) {
  INFO("shape " << to_text(x.shape()) << ", bound " << bound);
  double largest = 0, sum = 0, squares = 0;
  auto const n = static_cast<double>(x.size());
  for (T const value : x.span()) {
    auto const v = static_cast<double>(value) / bound;
    largest = std::max(largest, std::abs(v));
    sum += v;
    squares += v * v;
  }
  double const rounding = std::same_as<T, bf16> ? 0x1p-8 : 1e-6;
  CHECK(largest <= 1 + rounding);
  CHECK(largest > 1 - 10 / n - rounding);
  CHECK(std::abs(sum / n) < 5 * std::sqrt(1 / (3 * n)));
  CHECK(std::abs(squares / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
}

}  // namespace

TEST_CASE("parameters are named and shaped as PyTorch's, in the kernels' layout", "[nn]") {
  Rng rng(1);
  CHECK(leaves(Linear<float>(7, 3, rng)) == Names{"weight (7, 3)", "bias (3)"});
  CHECK(leaves(Linear<float>(7, 3, rng, {.bias = false})) == Names{"weight (7, 3)"});
  CHECK(leaves(Conv2d<bf16>(6, 8, {.kernel = 5, .groups = 2}, rng)) == Names{"weight (5, 5, 3, 8)", "bias (8)"});
  CHECK(leaves(Conv2d<float>(6, 8, {.bias = false}, rng)) == Names{"weight (3, 3, 6, 8)"});
  CHECK(leaves(ConvTranspose2d<float>(6, 8, {.groups = 2}, rng)) == Names{"weight (4, 4, 4, 6)", "bias (8)"});
  CHECK(leaves(ConvTranspose2d<float>(6, 8, {.kernel = 2, .bias = false}, rng)) == Names{"weight (2, 2, 8, 6)"});
  CHECK(leaves(GroupNorm<bf16>(4, 12)) == Names{"weight (12)", "bias (12)"});
  CHECK(leaves(Embedding<float>(10, 16, rng)) == Names{"weight (10, 16)"});
  CHECK(leaves(TimestepMlp<float>(4, 6, rng)) ==
        Names{"mlp.0.weight (4, 6)", "mlp.0.bias (6)", "mlp.2.weight (6, 6)", "mlp.2.bias (6)"});
  CHECK(leaves(TimeLinear<float>(2, 5, rng)) ==
        Names{"time_embedding.mlp.0.weight (256, 5)", "time_embedding.mlp.0.bias (5)",
              "time_embedding.mlp.2.weight (5, 5)", "time_embedding.mlp.2.bias (5)", "fc.weight (2, 5)",
              "fc.bias (5)"});
  CHECK(leaves(Dropout{}).empty());
}

TEST_CASE("count_parameters counts every trained number", "[nn]") {
  Rng rng(1);
  CHECK(count_parameters(Linear<float>(7, 3, rng)) == 24);
  CHECK(count_parameters(Linear<float>(7, 3, rng, {.bias = false})) == 21);
  CHECK(count_parameters(Conv2d<float>(28, 56, {.kernel = 3}, rng)) == 14168);
  CHECK(count_parameters(Conv2d<float>(28, 28, {.kernel = 7, .groups = 28}, rng)) == 1400);
  CHECK(count_parameters(ConvTranspose2d<float>(56, 56, {}, rng)) == 50232);
  CHECK(count_parameters(GroupNorm<float>(1, 56)) == 112);
  CHECK(count_parameters(Embedding<float>(10, 128, rng)) == 1280);
  CHECK(count_parameters(TimeLinear<float>(2, 128, rng)) == 256 * 128 + 128 + 128 * 128 + 128 + 2 * 128 + 128);
  CHECK(count_parameters(Dropout{}) == 0);
}

TEMPLATE_TEST_CASE("weights and biases start in the bounds of PyTorch's layers", "[nn]", float, bf16, double) {
  using T = TestType;
  Rng rng(3);
  Linear<T> const linear(300, 500, rng);
  check_uniform(linear.weight.var.value(), 1 / std::sqrt(300.0));
  check_uniform(linear.bias.var.value(), 1 / std::sqrt(300.0));
  Conv2d<T> const conv(40, 300, {.kernel = 3, .groups = 4}, rng);
  check_uniform(conv.weight.var.value(), 1 / std::sqrt(10 * 9.0));
  check_uniform(conv.bias.var.value(), 1 / std::sqrt(10 * 9.0));
  ConvTranspose2d<T> const up(30, 400, {.kernel = 4, .groups = 2}, rng);
  check_uniform(up.weight.var.value(), 1 / std::sqrt(200 * 16.0));
  check_uniform(up.bias.var.value(), 1 / std::sqrt(200 * 16.0));

  GroupNorm<T> const norm(3, 12);
  for (auto const value : norm.weight.var.value().span()) CHECK(value == 1);
  for (auto const value : norm.bias.var.value().span()) CHECK(value == 0);

  double sum = 0, squares = 0;
  Embedding<T> const embedding(100, 200, rng);
  for (auto const value : embedding.weight.var.value().span()) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  CHECK(std::abs(sum / 20000) < 5 / std::sqrt(20000.0));
  CHECK(std::abs(squares / 20000 - 1) < 5 * std::sqrt(2 / 20000.0));
}

TEST_CASE("a seed determines the weights, and no two layers share theirs", "[nn]") {
  Rng rng(5), again(5), other(6);
  Conv2d<float> const a(8, 8, {}, rng), b(8, 8, {}, rng), same(8, 8, {}, again), different(8, 8, {}, other);
  CHECK(same_bits(a.weight.var.value(), same.weight.var.value()));
  CHECK(same_bits(a.bias.var.value(), same.bias.var.value()));
  CHECK_FALSE(same_bits(a.weight.var.value(), b.weight.var.value()));
  CHECK_FALSE(same_bits(a.weight.var.value(), different.weight.var.value()));
  // A bf16 layer starts as the rounded float layer does.
  Rng once_more(5);
  Conv2d<bf16> const rounded(8, 8, {}, once_more);
  CHECK(same_bits(rounded.weight.var.value(), ops::cast<bf16>(a.weight.var.value())));
  CHECK(same_bits(rounded.bias.var.value(), a.bias.var.value()));
}

TEST_CASE("layers map shapes as they say", "[nn]") {
  Rng rng(7);
  Var<float> const image(random_tensor({2, 9, 7, 6})), rows(random_tensor({2, 3, 6}));
  CHECK(Linear<float>(6, 5, rng)(rows).shape() == Shape{2, 3, 5});
  for (Index kernel : {1, 3, 5, 7})
    CHECK(Conv2d<float>(6, 4, {.kernel = kernel}, rng)(image).shape() == Shape{2, 9, 7, 4});
  CHECK(Conv2d<float>(6, 4, {.dilation = 3}, rng)(image).shape() == Shape{2, 9, 7, 4});
  CHECK(Conv2d<float>(6, 4, {.kernel = 4, .stride = 2, .padding = 1}, rng)(image).shape() == Shape{2, 4, 3, 4});
  CHECK(ConvTranspose2d<float>(6, 4, {}, rng)(image).shape() == Shape{2, 18, 14, 4});
  CHECK(ConvTranspose2d<float>(6, 4, {.kernel = 3, .output_padding = 1}, rng)(image).shape() == Shape{2, 18, 14, 4});
  CHECK(GroupNorm<float>(3, 6)(image).shape() == image.shape());
  CHECK(GroupNorm<float>(1, 6)(rows).shape() == rows.shape());
  CHECK(Embedding<float>(10, 8, rng)(Tensor<std::int32_t>({3}, {0, 9, 4})).shape() == Shape{3, 8});
  TimeLinear<float> const time_linear(6, 5, rng);
  Var<float> const x(random_tensor({4, 6}));
  CHECK(time_linear(x, Var<float>(random_tensor({4, 256}))).shape() == Shape{4, 5});
  CHECK(time_linear(x, Var<float>(random_tensor({1, 256}))).shape() == Shape{4, 5});
}

TEST_CASE("a convolution layer adds what it is given to its result", "[nn]") {
  Rng rng(8);
  Conv2d<double> const conv(3, 4, {}, rng);
  auto const x = random_tensor<double>({2, 5, 5, 3}, 1), addend = random_tensor<double>({2, 4}, 2),
             residual = random_tensor<double>({2, 5, 5, 4}, 3);
  auto const plain = conv(Var<double>(x)).value();
  auto const both = conv(Var<double>(x), Var<double>(addend), Var<double>(residual)).value();
  CHECK(max_abs_difference(both, ops::add(ops::add(plain, addend), residual)) < 1e-14);
  CHECK(max_abs_difference(conv(Var<double>(x), Var<double>(), Var<double>(residual)).value(),
                           ops::add(plain, residual)) < 1e-14);
}

TEST_CASE("layers that cannot be are an error", "[nn]") {
  Rng rng(9);
  for (Index bad : {Index{0}, Index{-1}}) {
    auto const number = std::to_string(bad);
    require_error([&] { Linear<float>(bad, 3, rng); }, "Linear: given " + number + " -> 3");
    require_error([&] { Linear<float>(3, bad, rng); }, "Linear: given 3 -> " + number);
    require_error([&] { Conv2d<float>(bad, 3, {}, rng); }, "Conv2d: given " + number + " -> 3");
    require_error([&] { Conv2d<float>(3, bad, {}, rng); }, "Conv2d: given 3 -> " + number);
    require_error([&] { Conv2d<float>(3, 3, {.kernel = bad}, rng); }, "kernel " + number);
    require_error([&] { Conv2d<float>(3, 3, {.stride = bad}, rng); }, "Conv2d: given stride " + number);
    require_error([&] { Conv2d<float>(3, 3, {.dilation = bad}, rng); }, "dilation " + number);
    require_error([&] { Conv2d<float>(3, 3, {.groups = bad}, rng); }, "and " + number + " groups");
    require_error([&] { ConvTranspose2d<float>(bad, 3, {}, rng); }, "ConvTranspose2d: given " + number + " -> 3");
    require_error([&] { ConvTranspose2d<float>(3, bad, {}, rng); }, "ConvTranspose2d: given 3 -> " + number);
    require_error([&] { ConvTranspose2d<float>(3, 3, {.kernel = bad}, rng); }, "kernel " + number);
    require_error([&] { ConvTranspose2d<float>(3, 3, {.stride = bad}, rng); },
                  "ConvTranspose2d: given stride " + number);
    require_error([&] { ConvTranspose2d<float>(3, 3, {.groups = bad}, rng); }, "and " + number + " groups");
    require_error([&] { GroupNorm<float>(bad, 4); }, "GroupNorm: given 4 channels and " + number + " groups");
    require_error([&] { Embedding<float>(bad, 4, rng); }, "Embedding: given " + number + " entries");
    require_error([&] { TimestepMlp<float>(bad, 4, rng); }, "Linear: given " + number);
  }
  require_error([&] { Conv2d<float>(6, 8, {.groups = 4}, rng); },
                "Conv2d: given 6 -> 8 channels, kernel 3 and 4 groups");
  require_error([&] { Conv2d<float>(8, 6, {.groups = 4}, rng); }, "groups that divide both");
  require_error([&] { Conv2d<float>(3, 3, {.kernel = 4}, rng); }, "Conv2d: given the even kernel 4 without padding");
  require_error([&] { Conv2d<float>(3, 3, {.padding = -2}, rng); }, "Conv2d: given stride 1, padding -2");
  require_error([&] { ConvTranspose2d<float>(6, 9, {.groups = 6}, rng); }, "groups that divide both");
  require_error([&] { ConvTranspose2d<float>(3, 3, {.padding = -1}, rng); }, "padding -1");
  require_error([&] { ConvTranspose2d<float>(3, 3, {.output_padding = 2}, rng); }, "given output_padding 2");
  require_error([&] { ConvTranspose2d<float>(3, 3, {.output_padding = -1}, rng); }, "given output_padding -1");
  require_error([&] { GroupNorm<float>(1, 0); }, "GroupNorm: given 0 channels");
  require_error([&] { GroupNorm<float>(8, 28); }, "GroupNorm: given 28 channels and 8 groups");
  require_error([&] { Conv2d<float>(1 << 20, 1 << 20, {.kernel = 1025}, rng); }, "wanted at most 2^48");
  auto const x = Var<float>(random_tensor({1, 5, 5, 3}));
  require_error([&] { (void)Conv2d<float>(4, 4, {}, rng)(x); }, "conv2d: given x (1, 5, 5, 3)");
  require_error([&] { (void)Linear<float>(4, 4, rng)(x); }, "linear: given x (1, 5, 5, 3) and weight (4, 4)");
  require_error([&] { (void)GroupNorm<float>(2, 4)(x); }, "group_norm: given");
}
