// The seam under matrix products and convolutions: what cuBLASLt and cuDNN do. Defined by libraries/, and by
// simulation/products.cpp through the kernels of the CPU. Everything has at least one element here.
#pragma once

#include <stipple/backend/matmul_problem.hpp>

namespace stipple::cuda::products {

/// `count` products whose operands and results follow each other in memory; bias and residual are those of the first.
template <class T>
void multiply(const MatmulProblem<T, Cuda>& first, Index count);

// Convolutions. Weights and their gradients are (o, kh, kw, c / groups); they and the results begin at multiples of 16
// bytes. bias (o) and residual, of the result's shape, may be null.
template <class T>
void convolve(const T* x, const T* weight, const float* bias, const T* residual, T* y, const ConvDims& d);
template <class T>
void convolve_backward_input(const T* dy, const T* weight, T* dx, const ConvDims& d);
template <class T>
void convolve_backward_weight(const T* x, const T* dy, T* dw, const ConvDims& d);

}  // namespace stipple::cuda::products
