// Matrix products: plain, batched, and the linear map of layers.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

struct MatmulSpec {
  bool transpose_a = false;  ///< a is (..., K, M) instead of (..., M, K)
  bool transpose_b = false;  ///< b is (..., N, K) instead of (..., K, N)
};

/// a (M, K) times b (K, N), or batches of them: (B, M, K) times (B, K, N). Sums are kept in the accumulation type.
template <Real T, Device D>
Tensor<T, D> matmul(const Tensor<T, D>& a, const Tensor<T, D>& b, MatmulSpec spec = {});

/// x (..., in) times weight (in, out) plus bias (out), plus `residual` (..., out); bias and residual may be undefined.
template <Real T, Device D>
Tensor<T, D> linear(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Tensor<accumulate_t<T>, D>& bias = {},
                    const Tensor<T, D>& residual = {});

/// Gradient of `linear` with respect to x: dy (..., out) times weight transposed.
template <Real T, Device D>
Tensor<T, D> linear_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight);

/// Gradient of `linear` with respect to the weight, (in, out), in the accumulation type.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> linear_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/matmul.hpp>

namespace stipple::ops::detail {

template <Real T, Device D>
MatmulProblem<T, D> matmul_problem(const Tensor<T, D>& a, const Tensor<T, D>& b, Index m, Index n, Index k,
                                   MatmulSpec spec) {
  MatmulProblem<T, D> p;
  p.m = m;
  p.n = n;
  p.k = k;
  p.a = a.data();
  p.a_row_stride = spec.transpose_a ? 1 : k;
  p.a_k_stride = spec.transpose_a ? m : 1;
  p.b = b.data();
  p.b_k_stride = spec.transpose_b ? 1 : n;
  p.b_n_stride = spec.transpose_b ? k : 1;
  return p;
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> matmul(const Tensor<T, D>& a, const Tensor<T, D>& b, MatmulSpec spec) {
  require((a.rank() == 2 || a.rank() == 3) && a.rank() == b.rank(), "matmul: given shapes ", a.shape(), " and ",
          b.shape(), ", wanted two matrices or two batches of matrices");
  Index const m = a.dim(spec.transpose_a ? -1 : -2), k = a.dim(spec.transpose_a ? -2 : -1);
  Index const n = b.dim(spec.transpose_b ? -2 : -1), k_of_b = b.dim(spec.transpose_b ? -1 : -2);
  Index const batch = a.rank() == 3 ? a.dim(0) : 1;
  require(k == k_of_b && (a.rank() == 2 || b.dim(0) == batch), "matmul: given shapes ", a.shape(), " and ", b.shape(),
          ", whose inner or batch extents differ");
  Tensor<T, D> out(a.rank() == 3 ? Shape{batch, m, n} : Shape{m, n});
  auto p = detail::matmul_problem(a, b, m, n, k, spec);
  p.out = out.data();
  using cpu::matmul_batch;
  matmul_batch(p, batch);
  return out;
}

template <Real T, Device D>
Tensor<T, D> linear(const Tensor<T, D>& x, const Tensor<T, D>& weight, const Tensor<accumulate_t<T>, D>& bias,
                    const Tensor<T, D>& residual) {
  require(weight.rank() == 2 && x.rank() >= 1 && x.dim(-1) == weight.dim(0), "linear: given x ", x.shape(),
          " and weight ", weight.shape(), ", wanted x (..., in) and weight (in, out)");
  Index const in = weight.dim(0), out = weight.dim(1);
  require(!bias.defined() || bias.shape() == Shape{out}, "linear: given bias ", bias.shape(), ", wanted (", out, ")");
  Tensor<T, D> y(x.shape().with(-1, out));
  require(!residual.defined() || residual.shape() == y.shape(), "linear: given residual ", residual.shape(),
          ", wanted ", y.shape());
  auto p = detail::matmul_problem(x, weight, x.shape().count(0, x.rank() - 1), out, in, {});
  p.out = y.data();
  p.bias = bias.data();
  p.residual = residual.data();
  using cpu::matmul;
  matmul(p);
  return y;
}

template <Real T, Device D>
Tensor<T, D> linear_backward_input(const Tensor<T, D>& dy, const Tensor<T, D>& weight) {
  require(weight.rank() == 2 && dy.rank() >= 1 && dy.dim(-1) == weight.dim(1), "linear_backward_input: given dy ",
          dy.shape(), " and weight ", weight.shape(), ", wanted dy (..., out) and weight (in, out)");
  Index const in = weight.dim(0), out = weight.dim(1);
  Tensor<T, D> dx(dy.shape().with(-1, in));
  auto p = detail::matmul_problem(dy, weight, dy.shape().count(0, dy.rank() - 1), in, out, {.transpose_b = true});
  p.out = dx.data();
  using cpu::matmul;
  matmul(p);
  return dx;
}

template <Real T, Device D>
Tensor<accumulate_t<T>, D> linear_backward_weight(const Tensor<T, D>& dy, const Tensor<T, D>& x) {
  require(x.rank() >= 1 && dy.rank() == x.rank() && dy.shape() == x.shape().with(-1, dy.dim(-1)),
          "linear_backward_weight: given dy ", dy.shape(), " and x ", x.shape(),
          ", wanted dy (..., out) and x (..., in)");
  Index const in = x.dim(-1), out = dy.dim(-1), rows = x.shape().count(0, x.rank() - 1);
  Tensor<accumulate_t<T>, D> dw({in, out});
  auto p = detail::matmul_problem(x, dy, in, out, rows, {.transpose_a = true});
  p.full = dw.data();
  using cpu::matmul;
  matmul(p);
  return dw;
}

#define STIPPLE_INSTANCES(T, D)                                                                                   \
  template Tensor<T, D> matmul<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, MatmulSpec);                       \
  template Tensor<T, D> linear<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&, \
                                     const Tensor<T, D>&);                                                        \
  template Tensor<T, D> linear_backward_input<T, D>(const Tensor<T, D>&, const Tensor<T, D>&);                    \
  template Tensor<accumulate_t<T>, D> linear_backward_weight<T, D>(const Tensor<T, D>&, const Tensor<T, D>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
