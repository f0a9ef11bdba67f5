// Launches of the kernels that group and batch normalisation share. `operation` is the one that an error names.
#pragma once

#include <stipple/backend/norm_shape.hpp>
#include <stipple/core/activation.hpp>

#include "columns.cuh"

namespace stipple::cuda {

/// y = f((x - mean) rstd weight + bias) with the statistics of each sample's groups, (samples, groups). weight and bias
/// may be null.
template <class T>
void normalise(const char* operation, const T* x, const float* weight, const float* bias, const float* mean,
               const float* rstd, T* y, NormShape shape, const Slabs& s, Activation activation);

/// With g = dy f'(z), its sums over the pixels of each slab, and those of g (x - mean) rstd: (2, samples, slabs,
/// channels).
template <class T>
void slab_gradients(const char* operation, const T* dy, const T* x, const float* weight, const float* bias,
                    const float* mean, const float* rstd, float* sums, NormShape shape, const Slabs& s,
                    Activation activation);

/// Gradient of x, from the means over each group of weight g and of weight g (x - mean) rstd, (2, samples, groups);
/// null if the statistics are constants.
template <class T>
void input_gradient(const char* operation, const T* dy, const T* x, const float* weight, const float* bias,
                    const float* mean, const float* rstd, const float* means, T* dx, NormShape shape, const Slabs& s,
                    Activation activation);

}  // namespace stipple::cuda
