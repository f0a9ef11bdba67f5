// Transposed convolution on a GPU. It is the input gradient of a convolution, so each direction is one of conv2d's; `d`
// describes that convolution (its y is our x).
#pragma once

#include <stipple/backend/cuda/conv2d.hpp>

namespace stipple::cuda {

template <class T>
void conv_transpose2d(Pointer<const T> x, Pointer<const T> weight, Pointer<const float> bias, Pointer<T> y,
                      const ConvDims& d) {
  conv2d_backward_input<T>(x, weight, bias, y, d);
}
template <class T>
void conv_transpose2d_backward_input(Pointer<const T> dy, Pointer<const T> weight, Pointer<T> dx, const ConvDims& d) {
  conv2d<T>(dy, weight, nullptr, nullptr, nullptr, dx, d);
}
template <class T>
void conv_transpose2d_backward_weight(Pointer<const T> x, Pointer<const T> dy, Pointer<float> dw, const ConvDims& d) {
  conv2d_backward_weight<T>(dy, x, dw, d);
}

}  // namespace stipple::cuda
