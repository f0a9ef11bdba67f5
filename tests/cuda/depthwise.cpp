#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/conv2d.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

struct Size {
  Shape x;
  Index kernel, stride, padding, dilation;
};
// Whole vectors of channels with kernels of 3 and 7, where rows of pixels are made at a time; then all others.
const std::vector<Size> sizes{{{2, 9, 13, 16}, 7, 1, 3, 1}, {{1, 28, 28, 24}, 3, 1, 1, 1}, {{3, 7, 7, 72}, 7, 1, 3, 1},
                              {{1, 5, 3, 8}, 7, 1, 3, 1},   {{1, 6, 8, 8}, 3, 1, 0, 1},    {{2, 40, 33, 8}, 3, 1, 2, 1},
                              {{2, 9, 13, 7}, 7, 1, 3, 1},  {{1, 12, 9, 16}, 3, 2, 1, 1},  {{1, 11, 12, 8}, 3, 1, 2, 2},
                              {{2, 8, 8, 3}, 4, 4, 0, 1}};

template <class T>
Tensor<T> scaled(const Shape& shape, std::uint64_t seed) {
  return ops::affine(random_tensor<T>(shape, seed), 0.25);
}

}  // namespace

TEMPLATE_TEST_CASE("Depthwise convolution on the GPU is that of the CPU", "[depthwise]", float, bf16) {
  for (Size const& s : sizes) {
    INFO(to_text(s.x) << ", kernel " << s.kernel << ", stride " << s.stride << ", padding " << s.padding
                      << ", dilation " << s.dilation);
    Index const channels = s.x[3];
    Conv2dSpec const spec{s.stride, s.padding, s.dilation, channels};
    Shape const shape{s.kernel, s.kernel, 1, channels};
    auto const x = scaled<TestType>(s.x, 1), weight = scaled<TestType>(shape, 2);
    auto const bias = random_tensor<float>({channels}, 3);
    auto const addend = scaled<TestType>({s.x[0], channels}, 4);
    auto const plain = ops::conv2d(x, weight, spec);
    auto const residual = scaled<TestType>(plain.shape(), 5), dy = scaled<TestType>(plain.shape(), 6);
    auto const w = to<Cuda>(weight);
    double const within = std::is_same_v<TestType, float> ? 1e-5 : 1e-2;
    for (auto const& device : {to<Cuda>(x), displaced(x)}) {
      require_close(ops::conv2d(device, w, spec), plain, within);
      require_close(ops::conv2d(device, w, spec, to<Cuda>(bias), to<Cuda>(addend), to<Cuda>(residual)),
                    ops::conv2d(x, weight, spec, bias, addend, residual), within);
      require_close(ops::conv2d_backward_weight(to<Cuda>(dy), device, shape, spec),
                    ops::conv2d_backward_weight(dy, x, shape, spec), 2e-5);
    }
    require_close(ops::conv2d_backward_input(to<Cuda>(dy), w, s.x, spec),
                  ops::conv2d_backward_input(dy, weight, s.x, spec), within);
  }
}

TEST_CASE("Depthwise convolution on the GPU has the same bits in every order", "[depthwise]") {
  auto const x = to<Cuda>(random_tensor<float>({3, 20, 30, 8}, 7)),
             dy = to<Cuda>(random_tensor<float>({3, 20, 30, 8}, 8));
  Conv2dSpec const spec{1, 3, 1, 8};
  auto const gradient = to<Cpu>(ops::conv2d_backward_weight(dy, x, {7, 7, 1, 8}, spec));
  for_each_order([&] { require_same(ops::conv2d_backward_weight(dy, x, {7, 7, 1, 8}, spec), gradient); });
}
