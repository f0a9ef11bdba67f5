// The activations on a GPU.
#pragma once

#include <stipple/core/activation.hpp>
#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// y[i] = f(x[i]), n elements. `y` may be `x`. For float and bf16.
template <class T>
void activate(Activation kind, Pointer<const T> x, Pointer<T> y, Index n);
/// dx[i] = dy[i] f'(x[i]). `dx` may be `dy`.
template <class T>
void activate_backward(Activation kind, Pointer<const T> dy, Pointer<const T> x, Pointer<T> dx, Index n);

}  // namespace stipple::cuda
