// Layer normalisation over the last axis on a GPU.
#pragma once

#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// y = (x - mean) rstd weight + bias for `rows` rows of n values. Fills mean and rstd, (rows). weight and bias may be
/// null. For float and bf16.
template <class T>
void layer_norm(Pointer<const T> x, Pointer<const float> weight, Pointer<const float> bias, Pointer<T> y,
                Pointer<float> mean, Pointer<float> rstd, Index rows, Index n, double eps);
/// Gradients of x, weight and bias; the last two may be null.
template <class T>
void layer_norm_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const float> weight,
                         Pointer<const float> mean, Pointer<const float> rstd, Pointer<T> dx, Pointer<float> dweight,
                         Pointer<float> dbias, Index rows, Index n);

}  // namespace stipple::cuda
