// Group normalisation with an optional activation behind it, on a GPU.
#pragma once

#include <stipple/backend/norm_shape.hpp>
#include <stipple/core/activation.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// y = f((x - mean) rstd weight + bias) over (samples, pixels, channels), with mean and variance of each sample's
/// groups and rstd = 1 / sqrt(variance + eps). Fills mean, rstd and, unless null, variance, all (samples, groups).
/// weight and bias may be null; so may y, for the statistics alone. The statistics of a sample do not depend on the
/// others. For float and bf16.
template <class T>
void group_norm(Pointer<const T> x, Pointer<const float> weight, Pointer<const float> bias, Pointer<T> y,
                Pointer<float> mean, Pointer<float> rstd, Pointer<float> variance, NormShape s, double eps,
                Activation activation);
/// Gradients of x, weight and bias; the last two may be null.
template <class T>
void group_norm_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const float> weight,
                         Pointer<const float> bias, Pointer<const float> mean, Pointer<const float> rstd, Pointer<T> dx,
                         Pointer<float> dweight, Pointer<float> dbias, NormShape s, Activation activation);

}  // namespace stipple::cuda
