#include <algorithm>

#include <stipple/backend/cuda/depthwise.hpp>

#include "depthwise.cuh"
#include "depthwise_weight.cuh"
#include "launch.cuh"
#include "sums.cuh"

namespace stipple::cuda {

namespace {

template <class T>
void gather(const char* operation, const T* source, const T* weight, DepthwiseAddends<T> addends, T* out,
            const DepthwiseGather& g) {
  constexpr int lanes = lanes_of<T>;
  Index const n = g.images * g.grid_h * g.grid_w * g.channels;
  if (n <= 0) return;
  bool const whole = g.channels % lanes == 0 && aligned(source, weight, addends.residual, static_cast<const T*>(out));
  if (whole && g.stride == 1 && g.dilation == 1 && g.spread == 1 && (g.kw == 3 || g.kw == 7)) {
    Index const segments = (g.grid_w + depthwise_pixels - 1) / depthwise_pixels;
    Index const items = g.images * g.grid_h * segments * (g.channels / lanes);
    launch(operation, g.kw == 3 ? depthwise_row_kernel<T, 3> : depthwise_row_kernel<T, 7>,
           {dim3(grid_extent(operation, (items + 127) / 128)), dim3(128)}, source, weight, addends, out, g);
    return;
  }
  launch(operation, whole ? depthwise_pixel_kernel<T, true> : depthwise_pixel_kernel<T, false>,
         whole ? strided_packs<lanes>(n) : strided(n), source, weight, addends, out, g);
}

/// Pieces of about 512 pixels: many enough blocks, and few enough partial sums.
DepthwisePieces pieces_of(const ConvDims& d, Index packs, Index columns) {
  constexpr Index pixels = 512;
  DepthwisePieces p{};
  p.images = std::max<Index>(1, pixels / (d.oh * d.ow));
  p.rows = std::clamp<Index>(pixels / d.ow, 1, d.oh);
  p.per_image = (d.oh + p.rows - 1) / p.rows;
  p.column_blocks = (packs + columns - 1) / columns;
  return p;
}

}  // namespace

template <class T>
void depthwise_conv2d(Pointer<const T> x, Pointer<const T> weight, Pointer<const float> bias, Pointer<const T> addend,
                      Pointer<const T> residual, Pointer<T> y, const ConvDims& d) {
  gather<T>("conv2d", x.address(), weight.address(), {bias.address(), addend.address(), residual.address()},
            y.address(),
            {d.n, d.h, d.w, d.oh, d.ow, d.c, d.kh, d.kw, d.stride, d.dilation, 1, -d.padding, -d.padding, false});
}

template <class T>
void depthwise_conv2d_backward_input(Pointer<const T> dy, Pointer<const T> weight, Pointer<const float> bias,
                                     Pointer<T> dx, const ConvDims& d) {
  gather<T>("conv2d_backward_input", dy.address(), weight.address(), {bias.address(), nullptr, nullptr}, dx.address(),
            {d.n, d.oh, d.ow, d.h, d.w, d.c, d.kh, d.kw, 1, d.dilation, d.stride, d.padding - (d.kh - 1) * d.dilation,
             d.padding - (d.kw - 1) * d.dilation, true});
}

template <class T>
void depthwise_conv2d_backward_weight(Pointer<const T> x, Pointer<const T> dy, Pointer<float> dw, const ConvDims& d) {
  constexpr const char* operation = "conv2d_backward_weight";
  constexpr int lanes = lanes_of<T>;
  Index const taps = d.kh * d.kw, packs = (d.c + lanes - 1) / lanes;
  if (taps * d.c == 0) return;
  if (d.n * d.oh * d.ow <= 0) {
    Memory<Cuda>::fill(dw.address(), 0.0f, static_cast<std::size_t>(taps * d.c));
    return;
  }
  bool const whole = d.c % lanes == 0 && aligned(x.address(), dy.address());
  bool const by_rows = whole && d.stride == 1 && d.dilation == 1 && d.kh == d.kw && (d.kw == 3 || d.kw == 7);
  Index const slots = !by_rows ? 256 : d.kw == 3 ? 64 : 32;  // threads of a row of taps
  auto const columns = static_cast<unsigned>(std::min<Index>(packs, by_rows ? 8 : 32));
  unsigned rows = 1;
  while (2 * rows * columns <= slots) rows *= 2;
  DepthwisePieces const p = pieces_of(d, packs, columns);
  Index const pieces = (d.n + p.images - 1) / p.images * p.per_image;
  Workspace<float> partial(pieces * taps * d.c);
  if (by_rows)
    launch(operation, d.kw == 3 ? depthwise_weight_row_kernel<T, 3> : depthwise_weight_row_kernel<T, 7>,
           {dim3(grid_extent(operation, pieces * p.column_blocks)), dim3(columns, rows, static_cast<unsigned>(d.kh))},
           x.address(), dy.address(), partial.data(), d, p);
  else
    launch(operation, depthwise_weight_tap_kernel<T>,
           {dim3(grid_extent(operation, pieces * p.column_blocks * taps)), dim3(columns, rows)}, x.address(),
           dy.address(), partial.data(), d, p, whole);
  sum_middle<float, float>(operation, partial.data(), nullptr, dw.address(), {1, pieces, taps * d.c});
}

#define STIPPLE_INSTANCES(T)                                                                                    \
  template void depthwise_conv2d<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>, Pointer<const T>, \
                                    Pointer<const T>, Pointer<T>, const ConvDims&);                             \
  template void depthwise_conv2d_backward_input<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>,    \
                                                   Pointer<T>, const ConvDims&);                                \
  template void depthwise_conv2d_backward_weight<T>(Pointer<const T>, Pointer<const T>, Pointer<float>,         \
                                                    const ConvDims&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
