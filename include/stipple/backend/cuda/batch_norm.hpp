// Batch normalisation with an optional activation behind it, on a GPU. With the statistics of the batch it is group
// normalisation of one sample, with every channel its own group; here are the kernels for given statistics, and for
// keeping them.
#pragma once

#include <stipple/backend/cuda/group_norm.hpp>

namespace stipple::cuda {

/// y = f((x - mean) rstd weight + bias) with mean and rstd given, (channels). weight and bias may be null. For float
/// and bf16.
template <class T>
void batch_norm_given(Pointer<const T> x, Pointer<const float> mean, Pointer<const float> rstd,
                      Pointer<const float> weight, Pointer<const float> bias, Pointer<T> y, NormShape s,
                      Activation activation);
/// Its gradients of x, weight and bias; the last two may be null.
template <class T>
void batch_norm_given_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const float> mean,
                               Pointer<const float> rstd, Pointer<const float> weight, Pointer<const float> bias,
                               Pointer<T> dx, Pointer<float> dweight, Pointer<float> dbias, NormShape s,
                               Activation activation);

/// rstd = 1 / sqrt(variance + eps), (n).
void inverse_deviations(Pointer<const float> variance, Pointer<float> rstd, double eps, Index n);
/// running = (1 - momentum) running + momentum scale batch, (n).
void update_running(Pointer<float> running, Pointer<const float> batch, double momentum, double scale, Index n);

}  // namespace stipple::cuda
