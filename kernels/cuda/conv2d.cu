#include <stipple/backend/cuda/conv2d.hpp>

#include <stipple/backend/cuda/arithmetic.hpp>
#include <stipple/backend/cuda/depthwise.hpp>
#include <stipple/backend/cuda/matmul.hpp>

#include "launch.cuh"
#include "products.hpp"
#include "transpose.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

namespace {

template <class T, class U>
void transpose(const T* from, U* to, Index rows, Index columns) {
  Index const row_tiles = (rows + transpose_tile - 1) / transpose_tile;
  Index const tiles = row_tiles * ((columns + transpose_tile - 1) / transpose_tile);
  launch("conv2d", transpose_kernel<T, U>, {dim3(grid_extent("conv2d", tiles)), dim3(transpose_tile, 8)}, from, to,
         rows, columns, row_tiles);
}

// Our weights are (kh, kw, c / groups, o), cuDNN's (o, kh, kw, c / groups): one matrix, transposed.
Index weight_rows(const ConvDims& d) { return d.kh * d.kw * (d.c / d.groups); }

template <class T>
class TurnedWeight {
 public:
  TurnedWeight(Pointer<const T> weight, const ConvDims& d) : turned_(weight_rows(d) * d.o) {
    transpose<T, T>(weight.address(), turned_.data(), weight_rows(d), d.o);
  }
  const T* data() { return turned_.data(); }

 private:
  Workspace<T> turned_;
};

}  // namespace

template <class T>
void conv2d(Pointer<const T> x, Pointer<const T> weight, Pointer<const float> bias, Pointer<const T> addend,
            Pointer<const T> residual, Pointer<T> y, const ConvDims& d) {
  if (d.n * d.oh * d.ow * d.o == 0) return;
  if (is_depthwise(d)) return depthwise_conv2d(x, weight, bias, addend, residual, y, d);
  if (is_pointwise(d)) {
    auto p = pointwise_forward<T, Cuda>(x, weight, y, d);
    p.bias = bias, p.residual = residual;
    matmul(p);
  } else {
    TurnedWeight<T> turned(weight, d);
    products::convolve<T>(x.address(), turned.data(), bias.address(), residual.address(), y.address(), d);
  }
  if (addend) arithmetic<T, T>(Arithmetic::add, y, addend, y, {d.n, d.oh * d.ow, d.o});
}

template <class T>
void conv2d_backward_input(Pointer<const T> dy, Pointer<const T> weight, Pointer<const float> bias, Pointer<T> dx,
                           const ConvDims& d) {
  if (d.n * d.h * d.w * d.c == 0) return;
  if (is_depthwise(d)) return depthwise_conv2d_backward_input(dy, weight, bias, dx, d);
  if (is_pointwise(d)) {
    auto p = pointwise_backward_input<T, Cuda>(dy, weight, dx, d);
    p.bias = bias;
    return matmul(p);
  }
  TurnedWeight<T> turned(weight, d);
  products::convolve_backward_input<T>(dy.address(), turned.data(), dx.address(), d);
  if (bias) arithmetic<T, float>(Arithmetic::add, dx, bias, dx, {1, d.n * d.h * d.w, d.c});
}

template <class T>
void conv2d_backward_weight(Pointer<const T> x, Pointer<const T> dy, Pointer<float> dw, const ConvDims& d) {
  if (is_depthwise(d)) return depthwise_conv2d_backward_weight(x, dy, dw, d);
  if (is_pointwise(d)) return matmul(pointwise_backward_weight<T, Cuda>(x, dy, dw, d));
  Index const rows = weight_rows(d), size = rows * d.o;
  if (size == 0) return;
  if (d.n == 0) return Memory<Cuda>::fill(dw.address(), 0.0f, static_cast<std::size_t>(size));
  Workspace<T> turned(size);
  products::convolve_backward_weight<T>(x.address(), dy.address(), turned.data(), d);
  transpose<T, float>(turned.data(), dw.address(), d.o, rows);
}

#define STIPPLE_INSTANCES(T)                                                                                   \
  template void conv2d<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>, Pointer<const T>,          \
                          Pointer<const T>, Pointer<T>, const ConvDims&);                                      \
  template void conv2d_backward_input<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>, Pointer<T>, \
                                         const ConvDims&);                                                     \
  template void conv2d_backward_weight<T>(Pointer<const T>, Pointer<const T>, Pointer<float>, const ConvDims&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
