#include <stipple/ops/layer_norm.hpp>

#include "compare.hpp"

using namespace stipple;

TEMPLATE_TEST_CASE("Layer norm on the GPU is that of the CPU", "[layer_norm]", float, bf16) {
  for (Shape const shape :
       {Shape{1, 3}, Shape{5, 7}, Shape{2, 9, 64}, Shape{400, 48}, Shape{3, 2100}, Shape{2, 4096}}) {
    INFO(to_text(shape));
    auto const x = random_tensor<TestType>(shape, 1), dy = random_tensor<TestType>(shape, 2);
    auto const weight = random_tensor<float>({shape[-1]}, 3), bias = random_tensor<float>({shape[-1]}, 4);
    auto const w = to<Cuda>(weight), b = to<Cuda>(bias);
    auto const wanted = ops::layer_norm(x, weight, bias);
    auto const given = ops::layer_norm(to<Cuda>(x), w, b);
    require_close(given.y, wanted.y, 4 * tolerance<TestType>);
    require_close(given.mean, wanted.mean, 1e-6);
    require_close(given.rstd, wanted.rstd, 1e-5);
    require_close(ops::layer_norm(displaced(x), {}, {}).y, ops::layer_norm(x, {}, {}).y, 4 * tolerance<TestType>);
    auto const g = ops::layer_norm_backward(dy, x, weight, bias, wanted.mean, wanted.rstd);
    auto const g_device =
        ops::layer_norm_backward(to<Cuda>(dy), to<Cuda>(x), w, b, to<Cuda>(wanted.mean), to<Cuda>(wanted.rstd));
    require_close(g_device.x, g.x, 10 * tolerance<TestType>);
    double const sum = std::sqrt(static_cast<double>(x.size() / x.dim(-1)));
    require_close(g_device.weight, g.weight, 1e-5 * sum);
    require_close(g_device.bias, g.bias, 1e-5 * sum);
  }
}

TEST_CASE("Layer norm on the GPU of no rows", "[layer_norm]") {
  Tensor<float, Cuda> const x(Shape{0, 8}), weight({8}, 1), statistics(Shape{0});
  REQUIRE(ops::layer_norm(x, weight, weight).y.shape() == x.shape());
  require_same(ops::layer_norm_backward(x, x, weight, weight, statistics, statistics).weight,
               Tensor<float>::zeros({8}));
}

TEST_CASE("Layer norm on the GPU has the same bits in every order", "[layer_norm]") {
  auto const x = to<Cuda>(random_tensor<float>({700, 40}, 5));
  auto const first = ops::layer_norm(x, {}, {});
  Tensor<float, Cuda> const weight({40}, 1);
  auto const y = to<Cpu>(first.y),
             dw = to<Cpu>(ops::layer_norm_backward(x, x, weight, {}, first.mean, first.rstd).weight);
  for_each_order([&] {
    require_same(ops::layer_norm(x, {}, {}).y, y);
    require_same(ops::layer_norm_backward(x, x, weight, {}, first.mean, first.rstd).weight, dw);
  });
}
