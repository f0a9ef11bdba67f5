// Convolution on a GPU.
#pragma once

#include <stipple/backend/conv_dims.hpp>
#include <stipple/backend/cuda/products.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// y = conv(x) [+ bias (o)] [+ addend (n, o) at every pixel] [+ residual (n, oh, ow, o)]. What is null is left out. For
/// float and bf16, as the following.
template <class T>
void conv2d(Pointer<const T> x, Pointer<const T> weight, Pointer<const float> bias, Pointer<const T> addend,
            Pointer<const T> residual, Pointer<T> y, const ConvDims& d);
/// dx from dy; with `bias` (c), the transposed convolution of dy.
template <class T>
void conv2d_backward_input(Pointer<const T> dy, Pointer<const T> weight, Pointer<const float> bias, Pointer<T> dx,
                           const ConvDims& d);
template <class T>
void conv2d_backward_weight(Pointer<const T> x, Pointer<const T> dy, Pointer<float> dw, const ConvDims& d);

}  // namespace stipple::cuda
