// A matrix product, as kernels see it.
#pragma once

#include <stipple/backend/conv_dims.hpp>
#include <stipple/core/device.hpp>
#include <stipple/core/dtype.hpp>

namespace stipple {

/// out (m, n) = A (m, k) B (k, n) [+ bias (n)] [+ residual (m, n)]. A and B are given by element strides, of which one
/// is 1. `full` receives the result in the accumulation type instead of `out`, when set.
template <class T, Device D = Cpu>
struct MatmulProblem {
  template <class U>
  using pointer = typename D::template pointer<U>;

  Index m = 0, n = 0, k = 0;
  pointer<const T> a = nullptr;
  Index a_row_stride = 0, a_k_stride = 1;
  pointer<const T> b = nullptr;
  Index b_k_stride = 0, b_n_stride = 1;
  pointer<const accumulate_t<T>> bias = nullptr;
  pointer<const T> residual = nullptr;
  pointer<T> out = nullptr;
  pointer<accumulate_t<T>> full = nullptr;
};

/// A convolution that is a matrix product over all pixels. The input of one that a transposed convolution with
/// output_padding runs backwards has pixels besides.
inline bool is_pointwise(const ConvDims& d) {
  return d.kh == 1 && d.kw == 1 && d.stride == 1 && d.padding == 0 && d.groups == 1 && d.h == d.oh && d.w == d.ow;
}

// The products of such a convolution, without what is added to them.
template <class T, Device D>
MatmulProblem<T, D> pointwise_forward(typename D::template pointer<const T> x,
                                      typename D::template pointer<const T> weight, typename D::template pointer<T> y,
                                      const ConvDims& d) {
  MatmulProblem<T, D> p;
  p.m = d.n * d.h * d.w, p.n = d.o, p.k = d.c;
  p.a = x, p.a_row_stride = d.c, p.b = weight, p.b_k_stride = d.o;
  p.out = y;
  return p;
}
template <class T, Device D>
MatmulProblem<T, D> pointwise_backward_input(typename D::template pointer<const T> dy,
                                             typename D::template pointer<const T> weight,
                                             typename D::template pointer<T> dx, const ConvDims& d) {
  MatmulProblem<T, D> p;
  p.m = d.n * d.h * d.w, p.n = d.c, p.k = d.o;
  p.a = dy, p.a_row_stride = d.o, p.b = weight, p.b_k_stride = 1, p.b_n_stride = d.o;
  p.out = dx;
  return p;
}
template <class T, Device D>
MatmulProblem<T, D> pointwise_backward_weight(typename D::template pointer<const T> x,
                                              typename D::template pointer<const T> dy,
                                              typename D::template pointer<accumulate_t<T>> dw, const ConvDims& d) {
  MatmulProblem<T, D> p;
  p.m = d.c, p.n = d.o, p.k = d.n * d.h * d.w;
  p.a = x, p.a_row_stride = 1, p.a_k_stride = d.c, p.b = dy, p.b_k_stride = d.o;
  p.full = dw;
  return p;
}

}  // namespace stipple
