// CPU depthwise convolution: one kernel a channel. conv2d.hpp calls it.
#pragma once

#include <algorithm>

#include <stipple/backend/conv_dims.hpp>
#include <stipple/backend/cpu/tile.hpp>

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

// One image: a float window of it, and where the results go. `width` is the channel count rounded up to whole vectors.
template <class T>
struct DepthwiseBand {
  const compute_t<T>* window = nullptr;
  const compute_t<T>* weight = nullptr;
  const compute_t<T>* bias = nullptr;
  const T* addend = nullptr;
  const T* residual = nullptr;
  T* out = nullptr;
  Index channels = 0, width = 0, rows = 0, grid_w = 0, columns = 0;
  Index kh = 1, kw = 1, stride = 1, dilation = 1;
};

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/depthwise.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

// Slack past a window that the fixed-length pixel loop may read.
inline constexpr Index depthwise_slack = 8;

inline Index depthwise_width(Index channels) { return (channels + 15) / 16 * 16; }

// out (n, gh, gw, c) gathers taps from source (n, h, w, c), spread with zeros, from row i stride + top on.
template <class T>
void depthwise_gather(const T* source, Index h, Index w, Index spread, Index top, Index left, bool flip,
                      const T* weight, Index gh, Index gw, DepthwiseBand<T> b, Index n) {
  using C = compute_t<T>;
  Scratch<C> const kernel(b.kh * b.kw * b.width, true);
  Index const taps = b.kh * b.kw;
  for (Index t = 0; t < taps; ++t)
    for (Index c = 0; c < b.channels; ++c)
      kernel.data()[t * b.width + c] = static_cast<C>(weight[(flip ? taps - 1 - t : t) * b.channels + c]);
  b.weight = kernel.data();
  b.grid_w = gw;
  b.columns = (std::max<Index>(gw, depthwise_slack) - 1) * b.stride + (b.kw - 1) * b.dilation + 1;
  Index const band =
      std::clamp<Index>(256 * 1024 / (b.columns * b.width * static_cast<Index>(sizeof(C)) * b.stride), 1, gh);
  Index const bands = (gh + band - 1) / band;
  parallel_for(n * bands, 1, [&](Index begin, Index end) {
    Index const rows_in = (band - 1) * b.stride + (b.kh - 1) * b.dilation + 1;
    Scratch<C> const window(rows_in * b.columns * b.width);
    for (Index i = begin; i < end; ++i) {
      Index const image = i / bands, row = i % bands * band;
      DepthwiseBand<T> mine = b;
      mine.window = window.data();
      mine.rows = std::min(band, gh - row);
      Index const at = (image * gh + row) * gw * b.channels;
      mine.out = b.out + at;
      mine.residual = b.residual == nullptr ? nullptr : b.residual + at;
      mine.addend = b.addend == nullptr ? nullptr : b.addend + image * b.channels;
      STIPPLE_CPU_DISPATCH(
          T, depthwise_window<T>(source + image * h * w * b.channels, h, w, b.channels, spread, row * b.stride + top,
                                 left, rows_in, b.columns, b.width, window.data()));
      STIPPLE_CPU_DISPATCH(T, depthwise_rows<T>(mine));
    }
  });
}

template <class T>
DepthwiseBand<T> depthwise_band(const ConvDims& d) {
  DepthwiseBand<T> b;
  b.channels = d.c;
  b.width = depthwise_width(d.c);
  b.kh = d.kh, b.kw = d.kw, b.dilation = d.dilation;
  return b;
}

template <class T>
void depthwise_conv2d(const T* x, const T* weight, const compute_t<T>* bias, const T* addend, const T* residual, T* y,
                      const ConvDims& d) {
  if (d.n == 0 || d.oh <= 0 || d.ow <= 0) return;
  auto b = depthwise_band<T>(d);
  b.stride = d.stride;
  b.bias = bias, b.addend = addend, b.residual = residual, b.out = y;
  depthwise_gather(x, d.h, d.w, Index{1}, -d.padding, -d.padding, false, weight, d.oh, d.ow, b, d.n);
}

template <class T>
void depthwise_conv2d_backward_input(const T* dy, const T* weight, const compute_t<T>* bias, T* dx, const ConvDims& d) {
  if (d.n == 0 || d.h <= 0 || d.w <= 0) return;
  auto b = depthwise_band<T>(d);
  b.bias = bias, b.out = dx;
  depthwise_gather(dy, d.oh, d.ow, d.stride, d.padding - (d.kh - 1) * d.dilation, d.padding - (d.kw - 1) * d.dilation,
                   true, weight, d.h, d.w, b, d.n);
}

template <class T>
void depthwise_conv2d_backward_weight(const T* x, const T* dy, compute_t<T>* dw, const ConvDims& d) {
  using C = compute_t<T>;
  auto b = depthwise_band<T>(d);
  b.stride = d.stride, b.grid_w = d.ow, b.rows = d.oh;
  b.columns = (d.ow - 1) * d.stride + (d.kw - 1) * d.dilation + 1;
  Index const rows_in = (d.oh - 1) * d.stride + (d.kh - 1) * d.dilation + 1, size = d.kh * d.kw * b.width;
  Index const parts = std::min<Index>(8, std::max<Index>(1, d.n)), part = (d.n + parts - 1) / parts;
  Scratch<C> const partial(parts * size, true);
  if (d.n > 0 && d.oh > 0 && d.ow > 0) {
    parallel_for(parts, 1, [&](Index begin, Index end) {
      Scratch<C> const window(rows_in * b.columns * b.width), gradient(d.oh * d.ow * b.width);
      for (Index p = begin; p < end; ++p) {
        for (Index image = p * part; image < std::min(d.n, (p + 1) * part); ++image) {
          DepthwiseBand<T> mine = b;
          mine.window = window.data();
          STIPPLE_CPU_DISPATCH(T, depthwise_window<T>(x + image * d.h * d.w * d.c, d.h, d.w, d.c, 1, -d.padding,
                                                      -d.padding, rows_in, b.columns, b.width, window.data()));
          STIPPLE_CPU_DISPATCH(T, depthwise_window<T>(dy + image * d.oh * d.ow * d.c, d.oh, d.ow, d.c, 1, 0, 0, d.oh,
                                                      d.ow, b.width, gradient.data()));
          STIPPLE_CPU_DISPATCH(T, depthwise_weight_gradient<T>(mine, gradient.data(), partial.data() + p * size));
        }
      }
    });
  }
  for (Index t = 0; t < d.kh * d.kw; ++t) {
    for (Index c = 0; c < d.c; ++c) {
      C total = 0;
      for (Index p = 0; p < parts; ++p) total += partial.data()[p * size + t * b.width + c];
      dw[t * d.c + c] = total;
    }
  }
}

}  // namespace stipple::cpu

#endif
