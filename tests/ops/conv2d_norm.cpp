// A convolution that normalises what it reads gives the bits of a norm followed by a convolution.
#include <stipple/autograd/conv2d.hpp>

#include "check.hpp"
#include "conv_sizes.hpp"
#include "gradient_check.hpp"

using namespace conv;
using namespace stipple;

namespace {

template <class T>
struct Layer {
  using Full = Tensor<accumulate_t<T>>;
  Tensor<T> x, weight, addend, residual;
  Full bias, norm_weight, norm_bias;
  GroupNormSpec norm;

  Layer(const Size& s, GroupNormSpec spec)
      : x(random_tensor<T>(s.x, 1)),
        weight(random_tensor<T>(s.weight(), 2)),
        addend(random_tensor<T>({s.x[0], s.outputs}, 3)),
        residual(random_tensor<T>({s.x[0], s.dims().oh, s.dims().ow, s.outputs}, 4)),
        bias(random_tensor<accumulate_t<T>>({s.outputs}, 5)),
        norm_weight(random_tensor<accumulate_t<T>>({s.x[3]}, 6)),
        norm_bias(random_tensor<accumulate_t<T>>({s.x[3]}, 7)),
        norm(spec) {}
};

std::vector<GroupNormSpec> norms_of(Index channels) {
  std::vector<GroupNormSpec> specs{{1, 1e-5, Activation::none}, {channels, 1e-5, Activation::silu}};
  if (channels % 2 == 0) specs.push_back({2, 1e-3, Activation::gelu});
  return specs;
}

template <class T>
void compare(const Size& s) {
  for (auto const& spec : norms_of(s.x[3])) {
    INFO(s.text() << ", " << spec.groups << " groups of the norm");
    Layer<T> const l(s, spec);
    for_each_product_isa([&](Isa) {
      auto const normalised = ops::group_norm(l.x, l.norm_weight, l.norm_bias, l.norm);
      auto const y = ops::conv2d(normalised.y, l.weight, s.spec(), l.bias, l.addend, l.residual);
      ops::NormPrologue<T, Cpu> const prologue{l.norm_weight, l.norm_bias, l.norm};
      auto const fused = ops::norm_conv2d(l.x, prologue, l.weight, s.spec(), l.bias, l.addend, l.residual);
      CHECK(same_bits(fused.mean, normalised.mean));
      CHECK(same_bits(fused.rstd, normalised.rstd));
      CHECK(same_bits(fused.y, y));
      CHECK(same_bits(
          ops::norm_conv2d_backward_weight(l.residual, l.x, prologue, fused.mean, fused.rstd, s.weight(), s.spec()),
          ops::conv2d_backward_weight(l.residual, normalised.y, s.weight(), s.spec())));
    });
  }
}

}  // namespace

TEST_CASE("a norm as the prologue of a convolution gives the bits of the two in turn", "[conv2d]") {
  int compared = 0;
  for (auto const& s : sizes) {
    if (!ops::takes_prologue(s.x, s.weight(), s.spec())) continue;
    ++compared;
    compare<float>(s);
    compare<bf16>(s);
    compare<double>(s);
  }
  CHECK(compared > 20);
  for (auto const& s : winograd_sizes)
    if (ops::takes_prologue(s.x, s.weight(), s.spec())) compare<bf16>(s);
}

TEST_CASE("a convolution with a prologue depends neither on threads nor on the batch", "[conv2d]") {
  Size const s{{7, 9, 11, 12}, 20, 3, 3, 1, 1, 1, 1};
  Layer<bf16> const l(s, {3, 1e-5, Activation::silu});
  ops::NormPrologue<bf16, Cpu> const prologue{l.norm_weight, l.norm_bias, l.norm};
  ContextGuard const guard;
  set_num_threads(1);
  auto const y = ops::norm_conv2d(l.x, prologue, l.weight, s.spec(), l.bias).y;
  set_num_threads(3);
  CHECK(same_bits(ops::norm_conv2d(l.x, prologue, l.weight, s.spec(), l.bias).y, y));
  CHECK(same_bits(ops::norm_conv2d(l.x.slice(4, 5), prologue, l.weight, s.spec(), l.bias).y, y.slice(4, 5)));
}

TEST_CASE("gradients of a convolution with a prologue, and of those that cannot have one", "[conv2d]") {
  GroupNormSpec const norm{2, 1e-2, Activation::silu};
  auto const f = [&](const Conv2dSpec& spec) {
    return [=](const std::vector<Var<double>>& in) {
      return norm_conv2d<double, Cpu>(in[0], {in[1], in[2], norm}, in[3], spec, {in[4], in[5], {}});
    };
  };
  auto const inputs = [](Shape weight) {
    return std::vector<Tensor<double>>{
        random_tensor<double>({2, 4, 5, 6}, 1), random_tensor<double>({6}, 2),
        random_tensor<double>({6}, 3),          random_tensor<double>(weight, 4),
        random_tensor<double>({weight[3]}, 5),  random_tensor<double>({2, weight[3]}, 6)};
  };
  SECTION("3x3") { check_gradients(f({.padding = 1}), inputs({3, 3, 6, 4})); }
  SECTION("stride 2") { check_gradients(f({.stride = 2, .padding = 1}), inputs({4, 4, 6, 3})); }
  SECTION("1x1") { check_gradients(f({}), inputs({1, 1, 6, 4})); }
  SECTION("depthwise") { check_gradients(f({.padding = 1, .groups = 6}), inputs({3, 3, 1, 6})); }
}

TEST_CASE("a convolution with a prologue refuses operands that do not fit", "[conv2d]") {
  auto const x = random_tensor({2, 5, 5, 4}), weight = random_tensor({3, 3, 4, 6});
  using Prologue = ops::NormPrologue<float, Cpu>;
  Conv2dSpec const same{.padding = 1};
  require_error([&] { ops::norm_conv2d(x, Prologue{{}, {}, {3}}, weight, same); }, "4 channels and 3 groups");
  require_error([&] { ops::norm_conv2d(x, Prologue{random_tensor({3}), {}, {2}}, weight, same); }, "(3)");
  require_error([&] { ops::norm_conv2d(x, Prologue{}, random_tensor({1, 1, 4, 6}), {}); }, "more than 1 x 1");
  require_error([&] { ops::norm_conv2d(x, Prologue{}, weight, same, random_tensor({5})); }, "given bias (5)");
  auto const dy = random_tensor({2, 5, 5, 6}), statistics = random_tensor({2, 1});
  auto const gradient = [&](const Tensor<float>& g, const Tensor<float>& mean, const Prologue& norm = {}) {
    return ops::norm_conv2d_backward_weight(g, x, norm, mean, statistics, weight.shape(), same);
  };
  require_error([&] { gradient(random_tensor({2, 5, 4, 6}), statistics); }, "wanted dy (2, 5, 5, 6)");
  require_error([&] { gradient(dy, random_tensor({2, 2})); }, "wanted (2, 1)");
  std::string const name = "norm_conv2d_backward_weight: ";
  require_error([&] { gradient(dy, statistics, {{}, {}, {3}}); }, name + "given 4 channels and 3 groups");
  require_error([&] { gradient(dy, statistics, {{}, {}, {0}}); }, name + "given 4 channels and 0 groups");
  require_error([&] { gradient(dy, statistics, {random_tensor({3}), {}, {}}); }, name + "given a weight or bias");
  require_error([&] { gradient(dy, statistics, {{}, random_tensor({5}), {}}); }, name + "given a weight or bias");
}
