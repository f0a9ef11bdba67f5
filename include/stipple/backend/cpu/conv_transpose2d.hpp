// CPU transposed convolution. It is the input gradient of a convolution, so each direction is one of conv2d's kernels;
// `d` describes that convolution (its y is our x).
#pragma once

#include <stipple/backend/cpu/conv2d.hpp>

namespace stipple::cpu {

template <class T>
void conv_transpose2d(const T* x, const T* weight, const compute_t<T>* bias, T* y, const ConvDims& d) {
  conv2d_backward_input<T>(x, weight, bias, y, d);
}
template <class T>
void conv_transpose2d_backward_input(const T* dy, const T* weight, T* dx, const ConvDims& d) {
  conv2d<T>(dy, weight, nullptr, nullptr, nullptr, dx, d);
}
template <class T>
void conv_transpose2d_backward_weight(const T* x, const T* dy, compute_t<T>* dw, const ConvDims& d) {
  conv2d_backward_weight<T>(dy, x, dw, d);
}

}  // namespace stipple::cpu
