// Matrix products on a GPU, by cuBLASLt.
#pragma once

#include <stipple/backend/cuda/products.hpp>
#include <stipple/backend/matmul_problem.hpp>

namespace stipple::cuda {

/// For float and bf16, as the following.
template <class T>
void matmul(const MatmulProblem<T, Cuda>& problem);
/// `count` products without bias and residual, whose operands and results follow each other in memory.
template <class T>
void matmul_batch(const MatmulProblem<T, Cuda>& first, Index count);

}  // namespace stipple::cuda
