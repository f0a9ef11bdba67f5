// Convolutions of many sizes, their operands, and what should come of them.
#pragma once

#include <string>
#include <vector>

#include <stipple/backend/cpu/winograd.hpp>
#include <stipple/ops/conv2d.hpp>

#include "invariance.hpp"
#include "naive_conv.hpp"

namespace conv {

using namespace stipple;

struct Size {
  Shape x;
  Index outputs, kh, kw, stride, padding, dilation, groups;

  ConvDims dims() const { return naive::conv_dims(x, kh, kw, outputs, stride, padding, dilation, groups); }
  Shape weight() const { return {kh, kw, x[3] / groups, outputs}; }
  Conv2dSpec spec() const { return {stride, padding, dilation, groups}; }
  std::string text() const {
    return to_text(x) + " -> " + std::to_string(outputs) + ", kernel " + std::to_string(kh) + " x " +
           std::to_string(kw) + ", stride " + std::to_string(stride) + ", padding " + std::to_string(padding) +
           ", dilation " + std::to_string(dilation) + ", groups " + std::to_string(groups);
  }
};
/// Whether this instruction set makes the convolution or a gradient of it by minimal filtering.
template <class T>
bool by_winograd(const Size& s) {
  auto const d = s.dims();
  if (!std::same_as<T, bf16> || d.kh != 3 || d.kw != 3 || d.stride != 1 || d.dilation != 1) return false;
  Index const in = d.c / d.groups, out = d.o / d.groups;
  return cpu::winograd_tile(d.oh, d.ow, in, out) != 0 || cpu::winograd_tile(d.h, d.w, out, in) != 0;
}
inline const std::vector<Size> sizes{
    {{1, 1, 1, 1}, 1, 1, 1, 1, 0, 1, 1},
    {{1, 1, 1, 3}, 5, 3, 3, 1, 1, 1, 1},
    {{2, 5, 7, 1}, 1, 3, 3, 1, 1, 1, 1},
    {{1, 7, 5, 3}, 2, 2, 2, 1, 0, 1, 1},
    {{2, 9, 8, 4}, 17, 4, 4, 2, 1, 1, 1},
    {{1, 11, 13, 5}, 7, 5, 5, 1, 2, 1, 1},
    {{1, 13, 11, 2}, 31, 7, 7, 1, 3, 1, 1},
    {{2, 17, 13, 7}, 33, 3, 3, 3, 2, 2, 1},
    {{2, 6, 9, 33}, 80, 1, 1, 1, 0, 1, 1},
    {{1, 1, 1, 28}, 384, 1, 1, 1, 0, 1, 1},
    {{3, 8, 8, 16}, 64, 3, 3, 1, 1, 1, 1},
    {{2, 7, 7, 20}, 113, 3, 3, 1, 1, 1, 1},
    {{1, 1, 17, 3}, 4, 1, 5, 2, 2, 1, 1},  // 1-high: the kernel's padding rows are real rows of the result
    {{1, 6, 5, 3}, 4, 1, 4, 1, 0, 1, 1},
    {{1, 7, 8, 2}, 3, 2, 2, 3, 0, 1, 1},  // stride beyond the kernel: some pixels are never read
    {{1, 3, 3, 2}, 2, 5, 5, 1, 4, 1, 1},  // kernel larger than the image
    {{1, 9, 9, 3}, 4, 3, 3, 2, 1, 2, 1},
    {{1, 12, 10, 6}, 9, 3, 3, 2, 2, 2, 3},
    {{2, 7, 7, 12}, 24, 3, 3, 1, 1, 1, 4},
    {{1, 5, 5, 3}, 6, 3, 3, 1, 1, 1, 3},  // two outputs for each channel
    {{1, 5, 6, 6}, 3, 3, 3, 1, 1, 1, 3},
    {{19, 4, 4, 3}, 5, 3, 3, 1, 1, 1, 1},
    {{1, 70, 200, 64}, 3, 3, 3, 1, 1, 1, 1},  // several bands
    {{1, 70, 200, 16}, 9, 3, 3, 1, 1, 1, 1},
    {{1, 5, 37, 24}, 18, 3, 3, 1, 1, 1, 1},  // blocks of AMX tiles with and without a rest
    {{2, 14, 12, 17}, 24, 4, 4, 2, 1, 1, 1},
    {{1, 7, 45, 24}, 50, 3, 3, 2, 1, 1, 1},
    {{1, 12, 14, 34}, 20, 3, 3, 1, 2, 2, 1},
    {{2, 9, 9, 64}, 64, 3, 3, 1, 1, 1, 2},
    {{1, 7, 7, 224}, 40, 3, 3, 1, 1, 1, 1},
    {{1, 131, 67, 41}, 3, 3, 3, 2, 1, 1, 1},
};
inline const std::vector<Size> depthwise_sizes{
    {{1, 1, 1, 2}, 2, 1, 1, 1, 0, 1, 2},       {{1, 1, 1, 3}, 3, 7, 7, 1, 3, 1, 3},
    {{2, 7, 9, 5}, 5, 3, 3, 1, 1, 1, 5},       {{2, 28, 28, 28}, 28, 7, 7, 1, 3, 1, 28},
    {{1, 7, 7, 112}, 112, 7, 7, 1, 3, 1, 112}, {{9, 5, 5, 17}, 17, 5, 5, 2, 2, 1, 17},
    {{2, 13, 11, 33}, 33, 4, 4, 2, 1, 1, 33},  {{1, 9, 10, 16}, 16, 3, 3, 3, 2, 2, 16},
    {{1, 3, 5, 3}, 3, 2, 2, 1, 0, 1, 3},       {{1, 8, 5, 4}, 4, 2, 2, 3, 0, 1, 4},
    {{1, 70, 200, 64}, 64, 3, 3, 1, 1, 1, 64},
};
// For weight gradients in AMX tiles: chunks of several bands and the last of fewer, bands of several heights, rows that
// share their zeros, planes for strides, results that overflow the second-level cache.
inline const std::vector<Size> gradient_sizes{
    {{37, 4, 5, 11}, 7, 3, 3, 1, 1, 1, 1},   {{3, 7, 7, 13}, 19, 3, 3, 1, 1, 1, 1},
    {{1, 29, 31, 3}, 17, 3, 3, 1, 1, 1, 1},  {{2, 11, 9, 6}, 13, 7, 7, 1, 3, 1, 1},
    {{2, 17, 19, 9}, 5, 2, 2, 3, 0, 1, 1},   {{2, 13, 15, 12}, 9, 3, 3, 2, 2, 2, 1},
    {{1, 16, 17, 8}, 33, 3, 3, 3, 1, 2, 1},  {{1, 8, 9, 9}, 4, 5, 5, 1, 4, 1, 1},
    {{2, 5, 6, 20}, 3, 1, 1, 1, 3, 1, 1},    {{3, 9, 12, 10}, 1, 1, 1, 2, 0, 1, 1},
    {{1, 1, 700, 10}, 12, 1, 5, 1, 2, 1, 1}, {{2, 9, 10, 27}, 39, 3, 2, 2, 1, 1, 3},
    {{2, 5, 6, 180}, 170, 3, 3, 1, 1, 1, 1}, {{2, 1, 36, 10}, 12, 1, 5, 1, 0, 1, 1},
    {{5, 1, 1, 64}, 64, 3, 3, 1, 1, 1, 1},
};

// For minimal filtering: tiles of 7 and of 8, whole and cut, channels of whole vectors and not, images smaller than
// what is read of them, more tiles than are taken together, by a result and by a weight gradient.
inline const std::vector<Size> winograd_sizes{
    {{3, 7, 7, 32}, 32, 3, 3, 1, 1, 1, 1},   {{1, 28, 28, 24}, 40, 3, 3, 1, 1, 1, 1},
    {{2, 13, 17, 35}, 33, 3, 3, 1, 1, 1, 1}, {{1, 16, 16, 48}, 16, 3, 3, 1, 0, 1, 1},
    {{1, 5, 12, 40}, 70, 3, 3, 1, 2, 1, 1},  {{5, 8, 8, 65}, 17, 3, 3, 1, 1, 1, 1},
    {{1, 3, 30, 32}, 64, 3, 3, 1, 3, 1, 1},  {{3, 16, 8, 32}, 64, 3, 3, 1, 1, 1, 2},
    {{2, 40, 23, 16}, 24, 3, 3, 1, 1, 1, 1}, {{37, 7, 6, 24}, 31, 3, 3, 1, 1, 1, 1},
    {{139, 7, 7, 24}, 24, 3, 3, 1, 1, 1, 1},
};

template <class T>
struct Operands {
  Tensor<T> x, weight, dy, addend;
  Tensor<accumulate_t<T>> bias;

  explicit Operands(const Size& s)
      : x(random_tensor<T>(s.x, 1)),
        weight(random_tensor<T>(s.weight(), 2)),
        dy(random_tensor<T>({s.x[0], s.dims().oh, s.dims().ow, s.outputs}, 3)),
        addend(random_tensor<T>({s.x[0], s.outputs}, 4)),
        bias(random_tensor<accumulate_t<T>>({s.outputs}, 5)) {}
};

/// What conv2d, its result with bias, addend and residual dy, and its gradients should be.
template <class T>
struct Wanted {
  naive::Exact y, full, dx, dw;

  Wanted(const Size& s, const Operands<T>& t) : y(t.dy.shape()), full(t.dy.shape()), dx(s.x), dw(s.weight()) {
    auto const number = [](auto const& tensor, Index i) { return static_cast<double>(tensor.data()[i]); };
    naive::for_each_product(s.dims(), [&](Index xi, Index wi, Index yi) {
      y.add(yi, number(t.x, xi) * number(t.weight, wi));
      dx.add(xi, number(t.dy, yi) * number(t.weight, wi));
      dw.add(wi, number(t.x, xi) * number(t.dy, yi));
    });
    full.value = y.value.clone();
    full.magnitude = y.magnitude.clone();
    Index const sample = t.dy.size() / s.x[0];
    for (Index i = 0; i < t.dy.size(); ++i) {
      full.add(i, number(t.bias, i % s.outputs));
      full.add(i, number(t.addend, i / sample * s.outputs + i % s.outputs));
      full.add(i, number(t.dy, i));
    }
  }
};

}  // namespace conv
