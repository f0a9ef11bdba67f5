#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/group_norm.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

struct Size {
  Shape shape;
  Index groups;
};
// Odd and even, one pixel, one channel a group, one group, several slabs, more channels than a block has lanes.
const std::vector<Size> sizes{{{2, 5, 3, 6}, 3},    {{3, 4, 4, 16}, 4},  {{1, 1, 1, 8}, 2},  {{2, 64, 64, 8}, 8},
                              {{2, 33, 31, 24}, 1}, {{1, 3, 4, 40}, 40}, {{2, 7, 2200}, 11}, {{5, 12}, 4}};

template <class T>
void compare_group_norm(const Size& size, Activation activation, bool affine) {
  INFO(to_text(size.shape) << " in " << size.groups << " groups, " << to_text(activation));
  GroupNormSpec const spec{size.groups, 1e-5, activation};
  auto const x = ops::affine(random_tensor<T>(size.shape, 1), 0.5, 3), dy = random_tensor<T>(size.shape, 2);
  Tensor<float> weight, bias;
  Tensor<float, Cuda> weight_device, bias_device;
  if (affine) {
    weight = random_tensor<float>({size.shape[-1]}, 3);
    bias = random_tensor<float>({size.shape[-1]}, 4);
    weight_device = to<Cuda>(weight);
    bias_device = to<Cuda>(bias);
  }
  auto const forward = ops::group_norm(x, weight, bias, spec);
  auto const device = ops::group_norm(to<Cuda>(x), weight_device, bias_device, spec);
  double const within = 4 * tolerance<T>;
  require_close(device.y, forward.y, within);
  require_close(device.mean, forward.mean, 1e-6);
  require_close(device.rstd, forward.rstd, 1e-5);
  require_close(ops::group_norm(displaced(x), weight_device, bias_device, spec).y, forward.y, within);
  auto const g = ops::group_norm_backward(dy, x, weight, bias, forward.mean, forward.rstd, spec);
  auto const g_device = ops::group_norm_backward(to<Cuda>(dy), to<Cuda>(x), weight_device, bias_device,
                                                 to<Cuda>(forward.mean), to<Cuda>(forward.rstd), spec);
  // The CPU rounds dy f'(z) to T on its way: in bf16 that is the larger error, a few thousandths of the largest value.
  require_close(g_device.x, g.x, std::is_same_v<T, float> ? 2e-5 : 4e-2);
  if (!affine) return;
  double const sum = std::sqrt(static_cast<double>(x.size() / x.dim(-1)));
  require_close(g_device.weight, g.weight, 1e-5 * sum);
  require_close(g_device.bias, g.bias, 1e-5 * sum);
}

}  // namespace

TEMPLATE_TEST_CASE("Group norm on the GPU is that of the CPU", "[group_norm]", float, bf16) {
  for (Size const& size : sizes) {
    compare_group_norm<TestType>(size, Activation::silu, true);
    compare_group_norm<TestType>(size, Activation::none, false);
  }
}

TEMPLATE_TEST_CASE("Group norm on the GPU takes every activation", "[group_norm]", float, bf16) {
  for (std::size_t kind = 0; kind < activation_names.size(); ++kind)
    compare_group_norm<TestType>({{2, 3, 5, 12}, 4}, static_cast<Activation>(kind), true);
}

TEST_CASE("Group norm on the GPU keeps its precision far from zero", "[group_norm]") {
  auto x = random_tensor<float>({1, 40, 40, 8}, 5);
  for (auto& value : x.span()) value += 4096;
  x.span()[0] = 0;
  auto const wanted = ops::group_norm(x, {}, {}, {4});
  auto const given = ops::group_norm(to<Cuda>(x), {}, {}, {4});
  require_close(given.rstd, wanted.rstd, 1e-5);
  require_close(given.y, wanted.y, 2e-4);
}

TEST_CASE("Group norm on the GPU: a sample does not depend on the others, nor on any order", "[group_norm]") {
  auto const x = random_tensor<float>({3, 50, 50, 12}, 6);
  GroupNormSpec const spec{3, 1e-5, Activation::silu};
  auto const all = to<Cpu>(ops::group_norm(to<Cuda>(x), {}, {}, spec).y);
  for_each_order(
      [&] { require_same(ops::group_norm(to<Cuda>(x.slice(1, 2).clone()), {}, {}, spec).y, all.slice(1, 2).clone()); });
}

TEST_CASE("Group norm on the GPU of no samples", "[group_norm]") {
  Tensor<float, Cuda> const x(Shape{0, 4, 4, 8}), weight({8}, 1), statistics(Shape{0, 2});
  REQUIRE(ops::group_norm(x, weight, weight, {2}).y.shape() == x.shape());
  auto const g = ops::group_norm_backward(x, x, weight, weight, statistics, statistics, {2});
  require_same(g.weight, Tensor<float>::zeros({8}));
}
