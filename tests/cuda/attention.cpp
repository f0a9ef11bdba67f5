#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/attention.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

struct Size {
  Index samples, queries, keys, heads, dim;
  bool causal = false;
};

template <class T>
Tensor<T> operand(const Shape& shape, std::uint64_t seed) {
  return ops::affine(random_tensor<T>(shape, seed), 0.5);
}

template <class T>
void compare_attention(const Size& size) {
  INFO(size.samples << " samples, " << size.queries << " queries, " << size.keys << " keys, " << size.heads
                    << " heads of " << size.dim << (size.causal ? ", causal" : ""));
  AttentionSpec const spec{.causal = size.causal};
  Index const channels = size.heads * size.dim;
  Shape const shape{size.samples, size.queries, channels}, other{size.samples, size.keys, channels};
  auto const q = operand<T>(shape, 1), k = operand<T>(other, 2), v = operand<T>(other, 3), dy = operand<T>(shape, 4);
  auto const q_device = to<Cuda>(q), k_device = to<Cuda>(k), v_device = to<Cuda>(v);
  auto const wanted = ops::attention(q, k, v, size.heads, spec);
  auto const given = ops::attention(q_device, k_device, v_device, size.heads, spec);
  require_close(given.y, wanted.y, std::is_same_v<T, float> ? 1e-5 : 1e-2);
  require_close(given.statistics, wanted.statistics, 1e-5);
  auto const g = ops::attention_backward(dy, q, k, v, wanted, size.heads, spec);
  auto const g_device = ops::attention_backward(to<Cuda>(dy), q_device, k_device, v_device, given, size.heads, spec);
  double const within = std::is_same_v<T, float> ? 2e-5 : 2e-2;
  require_close(g_device.q, g.q, within);
  require_close(g_device.k, g.k, within);
  require_close(g_device.v, g.v, within);
}

}  // namespace

TEMPLATE_TEST_CASE("Attention on the GPU is that of the CPU", "[attention]", float, bf16) {
  for (Size const& size : std::vector<Size>{{2, 16, 16, 2, 32},
                                            {1, 65, 130, 1, 64},
                                            {1, 1, 1, 3, 8},
                                            {1, 70, 33, 2, 40},
                                            {1, 129, 64, 1, 96},
                                            {1, 64, 97, 1, 128},
                                            {2, 5, 9, 2, 12},
                                            {1, 67, 66, 1, 136}})
    compare_attention<TestType>(size);
}

TEMPLATE_TEST_CASE("Causal attention on the GPU is that of the CPU", "[attention]", float, bf16) {
  for (Size const& size :
       std::vector<Size>{{1, 100, 100, 2, 32, true}, {1, 40, 130, 1, 64, true}, {1, 150, 70, 1, 20, true}})
    compare_attention<TestType>(size);
}

TEMPLATE_TEST_CASE("Attention on the GPU of q, k and v side by side", "[attention]", float, bf16) {
  Index const heads = 2, channels = 64;
  auto const qkv = operand<TestType>({2, 5, 7, 3 * channels}, 5), dy = operand<TestType>({2, 5, 7, channels}, 6);
  auto const wanted = ops::attention_qkv(qkv, heads, {.scale = -0.3});
  double const within = std::is_same_v<TestType, float> ? 1e-5 : 2e-2;
  for (auto const& device : {to<Cuda>(qkv), displaced(qkv)}) {
    auto const given = ops::attention_qkv(device, heads, {.scale = -0.3});
    require_close(given.y, wanted.y, within);
    require_close(ops::attention_qkv_backward(to<Cuda>(dy), device, given, heads, {.scale = -0.3}),
                  ops::attention_qkv_backward(dy, qkv, wanted, heads, {.scale = -0.3}), within);
  }
}

TEMPLATE_TEST_CASE("Attention on the GPU takes logits of any size", "[attention]", float, bf16) {
  auto const q = ops::affine(random_tensor<TestType>({1, 20, 32}, 7), 20), dy = operand<TestType>({1, 20, 32}, 8);
  auto const x = to<Cuda>(q);
  auto const wanted = ops::attention(q, q, q, 1);
  auto const device = ops::attention(x, x, x, 1);
  require_close(device.y, wanted.y, 1e-2);
  require_close(ops::attention_backward(to<Cuda>(dy), x, x, x, device, 1).v,
                ops::attention_backward(dy, q, q, q, wanted, 1).v, 1e-2);
}

TEMPLATE_TEST_CASE("Attention on the GPU has the same bits in every order and batch", "[attention]", float, bf16) {
  auto const qkv = operand<TestType>({2, 70, 3 * 64}, 9), dy = operand<TestType>({2, 70, 64}, 10);
  auto const gradient = [](const Tensor<TestType>& x, const Tensor<TestType>& g) {
    auto const device = to<Cuda>(x);
    return ops::attention_qkv_backward(to<Cuda>(g), device, ops::attention_qkv(device, 2), 2);
  };
  auto const all = to<Cpu>(gradient(qkv, dy));
  for_each_order(
      [&] { require_same(gradient(qkv.slice(1, 2).clone(), dy.slice(1, 2).clone()), all.slice(1, 2).clone()); });
}

TEST_CASE("Attention on the GPU of no samples", "[attention]") {
  Tensor<float, Cuda> const x(Shape{0, 5, 8});
  REQUIRE(ops::attention(x, x, x, 2).y.shape() == x.shape());
}
