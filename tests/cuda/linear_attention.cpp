#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/linear_attention.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

struct Size {
  Index samples, positions, heads, dim;
};

}  // namespace

TEMPLATE_TEST_CASE("Linear attention on the GPU is that of the CPU", "[linear_attention]", float, bf16) {
  for (Size const& size :
       std::vector<Size>{{2, 49, 2, 32}, {1, 300, 1, 8}, {1, 1, 2, 5}, {1, 33, 1, 72}, {2, 70, 1, 64}}) {
    INFO(size.samples << " samples, " << size.positions << " positions, " << size.heads << " heads of " << size.dim);
    Index const channels = size.heads * size.dim;
    auto const qkv = ops::affine(random_tensor<TestType>({size.samples, size.positions, 3 * channels}, 1), 0.5, 1);
    auto const dy = random_tensor<TestType>({size.samples, size.positions, channels}, 2);
    double const within = 20 * tolerance<TestType>;
    auto const wanted = ops::linear_attention_qkv(qkv, size.heads, size.dim);
    auto const g = ops::linear_attention_qkv_backward(dy, qkv, wanted, size.heads, size.dim);
    for (auto const& device : {to<Cuda>(qkv), displaced(qkv)}) {
      auto const given = ops::linear_attention_qkv(device, size.heads, size.dim);
      require_close(given.y, wanted.y, tolerance<TestType>);
      require_close(given.context, wanted.context, 1e-5);
      require_close(given.statistics, wanted.statistics, 1e-5);
      require_close(ops::linear_attention_qkv_backward(to<Cuda>(dy), device, given, size.heads, size.dim), g,
                    std::is_same_v<TestType, float> ? within : 1e-2);
    }
  }
}

TEST_CASE("Linear attention on the GPU has the same bits in every order and batch", "[linear_attention]") {
  auto const qkv = random_tensor<float>({2, 280, 3 * 16}, 3), dy = random_tensor<float>({2, 280, 16}, 4);
  auto const gradient = [](const Tensor<float>& x, const Tensor<float>& g) {
    auto const device = to<Cuda>(x);
    return ops::linear_attention_qkv_backward(to<Cuda>(g), device, ops::linear_attention_qkv(device, 1, 16), 1, 16);
  };
  auto const all = to<Cpu>(gradient(qkv, dy));
  for_each_order(
      [&] { require_same(gradient(qkv.slice(1, 2).clone(), dy.slice(1, 2).clone()), all.slice(1, 2).clone()); });
}

TEST_CASE("Linear attention on the GPU of no samples", "[linear_attention]") {
  Tensor<float, Cuda> const qkv(Shape{0, 5, 24});
  REQUIRE(ops::linear_attention_qkv(qkv, 2, 4).y.shape() == Shape{0, 5, 8});
}
