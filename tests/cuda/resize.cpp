#include <stipple/ops/resize.hpp>

#include "compare.hpp"

using namespace stipple;

TEMPLATE_TEST_CASE("Resizing on the GPU is that of the CPU", "[resize]", float, bf16) {
  for (auto const& [from, to_size] : {std::pair<Size2d, Size2d>{{5, 7}, {10, 14}},
                                      {{8, 6}, {4, 3}},
                                      {{5, 3}, {7, 8}},
                                      {{9, 4}, {1, 1}},
                                      {{1, 1}, {3, 2}},
                                      {{6, 6}, {6, 6}},
                                      {{16, 3}, {5, 11}}}) {
    for (ResizeSpec const spec :
         {ResizeSpec{ResizeMode::nearest}, ResizeSpec{ResizeMode::bilinear}, ResizeSpec{ResizeMode::bilinear, true}}) {
      for (Index channels : {1, 3, 8, 16}) {
        INFO(from.height << " x " << from.width << " to " << to_size.height << " x " << to_size.width << ", "
                         << channels << " channels, mode " << static_cast<int>(spec.mode));
        auto const x = random_tensor<TestType>({2, from.height, from.width, channels}, 1);
        auto const dy = random_tensor<TestType>({2, to_size.height, to_size.width, channels}, 2);
        require_close(ops::resize(to<Cuda>(x), to_size, spec), ops::resize(x, to_size, spec));
        require_close(ops::resize_backward(to<Cuda>(dy), from, spec), ops::resize_backward(dy, from, spec),
                      4 * tolerance<TestType>);
        require_close(ops::resize(displaced(x), to_size, spec), ops::resize(x, to_size, spec));
      }
    }
  }
}
