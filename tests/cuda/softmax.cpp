#include <limits>

#include <stipple/ops/softmax.hpp>

#include "compare.hpp"

using namespace stipple;

TEMPLATE_TEST_CASE("Softmax on the GPU is that of the CPU", "[softmax]", float, bf16) {
  for (Shape const shape :
       {Shape{1, 1}, Shape{3, 7}, Shape{17, 64}, Shape{2, 3, 1000}, Shape{3, 4097}, Shape{2, 4096}}) {
    INFO(to_text(shape));
    auto const x = random_tensor<TestType>(shape, 1), dy = random_tensor<TestType>(shape, 2);
    auto const y = ops::softmax(x);
    require_close(ops::softmax(to<Cuda>(x)), y);
    require_close(ops::softmax(displaced(x)), y);
    require_close(ops::softmax_backward(to<Cuda>(dy), to<Cuda>(y)), ops::softmax_backward(dy, y));
  }
}

TEST_CASE("Softmax on the GPU takes the largest numbers", "[softmax]") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Tensor<float> const x({2, 3}, {3e38f, -3e38f, 3e38f, -infinity, 0.0f, 1.0f});
  require_close(ops::softmax(to<Cuda>(x)), ops::softmax(x));
}

TEST_CASE("Softmax on the GPU has the same bits in every order", "[softmax]") {
  auto const x = random_tensor<float>({9, 2500}, 3);
  auto const y = to<Cpu>(ops::softmax(to<Cuda>(x)));
  for_each_order([&] { require_same(ops::softmax(to<Cuda>(x)), y); });
}
