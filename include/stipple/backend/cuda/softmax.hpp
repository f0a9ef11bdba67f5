// Softmax over the last axis on a GPU.
#pragma once

#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// y = softmax(x) for `rows` rows of n >= 1 values. For float and bf16.
template <class T>
void softmax(Pointer<const T> x, Pointer<T> y, Index rows, Index n);
/// dx = y (dy - sum of dy y)
template <class T>
void softmax_backward(Pointer<const T> dy, Pointer<const T> y, Pointer<T> dx, Index rows, Index n);

}  // namespace stipple::cuda
