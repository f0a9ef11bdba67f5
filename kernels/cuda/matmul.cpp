#include <stipple/backend/cuda/matmul.hpp>

#include <stipple/backend/cuda/arithmetic.hpp>
#include <stipple/tensor/cuda_memory.hpp>

#include "products.hpp"

namespace stipple::cuda {

namespace {

template <class T>
void fill_zero(T* to, Index n) {
  Memory<Cuda>::fill(to, T{}, static_cast<std::size_t>(n));
}

// Sums of no terms: what is added to them.
template <class T>
void matmul_of_nothing(const MatmulProblem<T, Cuda>& p) {
  if (p.full) return fill_zero(p.full.address(), p.m * p.n);
  fill_zero(p.out.address(), p.m * p.n);
  if (p.bias) arithmetic<T, float>(Arithmetic::add, p.out, p.bias, p.out, {1, p.m, p.n});
  if (p.residual) arithmetic<T, T>(Arithmetic::add, p.out, p.residual, p.out, {1, 1, p.m * p.n});
}

}  // namespace

template <class T>
void matmul(const MatmulProblem<T, Cuda>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) return matmul_of_nothing(p);
  products::multiply(p, 1);
}

template <class T>
void matmul_batch(const MatmulProblem<T, Cuda>& p, Index count) {
  if (count == 0 || p.m == 0 || p.n == 0) return;
  if (p.k == 0) return fill_zero(p.out.address(), count * p.m * p.n);
  products::multiply(p, count);
}

template void matmul<float>(const MatmulProblem<float, Cuda>&);
template void matmul<bf16>(const MatmulProblem<bf16, Cuda>&);
template void matmul_batch<float>(const MatmulProblem<float, Cuda>&, Index);
template void matmul_batch<bf16>(const MatmulProblem<bf16, Cuda>&, Index);

}  // namespace stipple::cuda
