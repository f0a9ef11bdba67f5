// CPU convolution: forward, with respect to the input (which is also the transposed convolution) and to the weight.
//
// All three are register-tiled products on a zero-padded copy of a band of one image, made by the thread that uses it,
// so no im2col matrix exists; 3x3 convolutions of bf16 without AMX are done by minimal filtering (winograd.hpp). The
// gradient with respect to the input of a strided convolution is split into stride x stride convolutions, each of which
// writes every stride-th pixel.
#pragma once

#include <algorithm>

#include <stipple/backend/conv_dims.hpp>
#include <stipple/backend/cpu/amx.hpp>
#include <stipple/backend/cpu/depthwise.hpp>
#include <stipple/backend/cpu/matmul.hpp>
#include <stipple/backend/cpu/winograd.hpp>

namespace stipple::cpu {

/// y = conv(x) [+ bias (o)] [+ addend (n, o) at every pixel] [+ residual (n, oh, ow, o)]. A prologue is for dense
/// convolutions of one group that are larger than 1x1 (`takes_prologue`).
template <class T>
void conv2d(const T* x, const T* weight, const compute_t<T>* bias, const T* addend, const T* residual, T* y,
            const ConvDims& d, const NormPrologue<T>* prologue = nullptr);
/// dx from dy; with `bias` (c), the transposed convolution of dy.
template <class T>
void conv2d_backward_input(const T* dy, const T* weight, const compute_t<T>* bias, T* dx, const ConvDims& d);
template <class T>
void conv2d_backward_weight(const T* x, const T* dy, compute_t<T>* dw, const ConvDims& d,
                            const NormPrologue<T>* prologue = nullptr);

inline bool takes_prologue(const ConvDims& d) { return d.groups == 1 && !is_pointwise(d); }

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

template <class T>
struct ConvWeightGradient {
  ConvGather<T> window;
  const T* dy = nullptr;
  Index band_rows = 0, bands_per_image = 0, bands_together = 1;
  // In tiles, the window is split into a plane for each pair of remainders of row and column by the stride; a plane has
  // these rows and columns in so many numbers a channel.
  Index phases_h = 1, phases_w = 1, plane_rows = 0, plane_columns = 0, plane_size = 0;

  Index bands() const { return window.n * bands_per_image; }
};

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/conv2d.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/conv2d_amx.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
Index conv_unit_count(Index numbers) {
  return uses_pairs<T>() ? (numbers + 1) / 2 : numbers;
}

// Rows of a band such that its window stays within the second-level cache; a function of the shape alone.
template <class T>
Index conv_band_rows(const ConvGather<T>& g, Index grid_rows) {
  constexpr Index budget = 256 * 1024;
  Index const row_bytes = g.plane_columns * std::max<Index>(1, g.channels) * static_cast<Index>(sizeof(T)) * g.stride;
  Index const rows = std::max<Index>(1, (budget / std::max<Index>(1, row_bytes)) - g.taps_h * g.dilation / g.stride);
  Index const bands = (grid_rows + rows - 1) / rows;
  return (grid_rows + bands - 1) / bands;
}

// Calls f(image, first row, end) for every band of every image, on all threads.
template <class T, class F>
void conv_bands(const ConvGather<T>& g, const F& f) {
  Index const band = conv_band_rows(g, g.grid_h), bands = (g.grid_h + band - 1) / band;
  // Small images go several to a chunk, so that a chunk is worth handing to a thread.
  Index const work = band * g.grid_w * g.outputs * g.taps_h * g.taps_w * conv_unit_count<T>(g.channels);
  parallel_for(g.n * bands, std::max<Index>(1, 256 * 1024 / std::max<Index>(1, work)), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      Index const row = i % bands * band;
      f(i / bands, row, std::min(g.grid_h, row + band));
    }
  });
}

// A convolution of bf16 in AMX tiles.
template <class T>
void conv_gather_amx(const ConvGather<T>& g) {
  Index const panels = (g.outputs + panel_width - 1) / panel_width, units = (g.channels + 1) / 2;
  AmxSum sum;
  sum.segments = conv_segments(g);
  sum.units = g.taps_h * g.taps_w / sum.segments * units;
  sum.panel_stride = sum.segments * sum.units * panel_width;
  Scratch<Pair> const packed(panels * sum.panel_stride), tails(panels * sum.tail_size());
  sum.right = packed.data();
  sum.tails = tails.data();
  parallel_for(panels, std::max<Index>(1, 32 * 1024 / sum.panel_stride), [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH_AMX(conv_pack_weights_amx(g, sum, packed.data(), tails.data(), begin, end));
  });
  conv_bands(g, [&](Index image, Index row, Index row_end) {
    STIPPLE_CPU_DISPATCH_AMX(conv_gather_band_amx(g, sum, image, row, row_end));
  });
}

template <class T>
void conv_gather(ConvGather<T> g) {
  using C = compute_t<T>;
  if (g.grid_h <= 0 || g.grid_w <= 0 || g.n == 0 || g.outputs == 0) return;
  g.plane_columns = (g.grid_w - 1) * g.stride + (g.taps_w - 1) * g.dilation + 1;
  if constexpr (std::is_same_v<T, bf16>) {
    if (uses_amx((g.channels + 1) / 2 * (g.dilation == 1 ? g.taps_w : 1), g.outputs)) return conv_gather_amx(g);
    if (conv_gather_winograd(g)) return;
  }
  Index const panels = (g.outputs + panel_width - 1) / panel_width;
  Index const panel_units = g.taps_h * g.taps_w * conv_unit_count<T>(g.channels) * panel_width;
  Scratch<C> const packed(panels * panel_units);  // a unit is never larger than a C
  parallel_for(panels, std::max<Index>(1, 32 * 1024 / std::max<Index>(1, panel_units)), [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH_PRODUCT(T, conv_pack_weights, g, packed.data(), begin, end);
  });
  conv_bands(g, [&](Index image, Index row, Index row_end) {
    STIPPLE_CPU_DISPATCH_PRODUCT(T, conv_gather_band, g, packed.data(), image, row, row_end);
  });
}

template <class T>
void conv2d(const T* x, const T* weight, const compute_t<T>* bias, const T* addend, const T* residual, T* y,
            const ConvDims& d, const NormPrologue<T>* prologue) {
  if (is_depthwise(d)) return depthwise_conv2d(x, weight, bias, addend, residual, y, d);
  if (is_pointwise(d) && addend == nullptr) {
    auto p = pointwise_forward<T, Cpu>(x, weight, y, d);
    p.bias = bias, p.residual = residual;
    return matmul(p);
  }
  ConvGather<T> g;
  g.source = x;
  g.prologue = prologue;
  g.n = d.n, g.h = d.h, g.w = d.w, g.source_channels = d.c, g.channels = d.c / d.groups;
  g.stride = d.stride, g.dilation = d.dilation, g.top = g.left = -d.padding;
  g.taps_h = d.kh, g.taps_w = d.kw, g.weight_kw = d.kw, g.weight_tap = d.c / d.groups * d.o;
  g.weight_k_stride = d.o, g.weight_n_stride = 1;
  g.out = y, g.grid_h = g.out_h = d.oh, g.grid_w = g.out_w = d.ow, g.out_channels = d.o, g.outputs = d.o / d.groups;
  g.bias = bias, g.addend = addend, g.residual = residual;
  for (Index group = 0; group < d.groups; ++group) {
    g.source_offset = group * g.channels;
    g.out_offset = group * g.outputs;
    g.weight = weight + g.out_offset;
    conv_gather(g);
  }
}

template <class T>
void conv2d_backward_input(const T* dy, const T* weight, const compute_t<T>* bias, T* dx, const ConvDims& d) {
  if (is_depthwise(d)) return depthwise_conv2d_backward_input(dy, weight, bias, dx, d);
  if (is_pointwise(d)) {
    auto p = pointwise_backward_input<T, Cpu>(dy, weight, dx, d);
    p.bias = bias;
    return matmul(p);
  }
  ConvGather<T> g;
  g.source = dy;
  g.n = d.n, g.h = d.oh, g.w = d.ow, g.source_channels = d.o, g.channels = d.o / d.groups;
  g.weight_kw = d.kw, g.weight_tap = d.c / d.groups * d.o;
  g.weight_k_stride = 1, g.weight_n_stride = d.o;
  g.out = dx, g.out_h = d.h, g.out_w = d.w, g.out_channels = d.c, g.outputs = d.c / d.groups;
  g.bias = bias;
  // Input row v receives kernel row k from output row (v + padding - k dilation) / stride where that is whole.
  bool const phases = d.dilation == 1 && d.stride > 1;
  Index const steps = phases ? d.stride : 1;
  g.dilation = phases ? 1 : d.dilation;
  g.spread = phases ? 1 : d.stride;
  g.out_step = steps;
  for (Index group = 0; group < d.groups; ++group) {
    g.source_offset = group * g.channels;
    g.out_offset = group * g.outputs;
    g.weight = weight + g.source_offset;
    for (Index py = 0; py < steps; ++py) {
      for (Index px = 0; px < steps; ++px) {
        // Along one axis: kernel entries k = phase, phase + steps, ... read backwards.
        auto const axis = [&](Index first_out, Index kernel, Index extent, Index& taps, Index& tap0, Index& step,
                              Index& start, Index& grid) {
          Index const phase = phases ? (first_out + d.padding) % steps : 0;
          taps = phases ? (kernel > phase ? (kernel - phase + steps - 1) / steps : 0) : kernel;
          tap0 = phases ? phase + steps * (taps - 1) : kernel - 1;
          step = phases ? -steps : -1;
          start = phases ? (first_out + d.padding - phase) / steps - (taps - 1) : d.padding - (kernel - 1) * d.dilation;
          grid = extent > first_out ? (extent - first_out + steps - 1) / steps : 0;
        };
        g.out_top = py, g.out_left = px;
        axis(py, d.kh, d.h, g.taps_h, g.tap_h0, g.tap_h_step, g.top, g.grid_h);
        axis(px, d.kw, d.w, g.taps_w, g.tap_w0, g.tap_w_step, g.left, g.grid_w);
        if (g.taps_h == 0 || g.taps_w == 0) {  // no kernel entry reaches these pixels: a tap outside gives the bias
          g.taps_h = g.taps_w = 1;
          g.tap_h0 = g.tap_w0 = 0;
          g.top = -d.oh - g.grid_h;
        }
        conv_gather(g);
      }
    }
  }
}

// Fixed parts of a weight gradient of `size` numbers, whatever the number of threads; fewer for large weights.
inline Index conv_gradient_parts(Index size, Index chunks) {
  return std::min(std::clamp<Index>(8 * 1024 * 1024 / size, 2, 8), chunks);
}

// A weight gradient of bf16 in AMX tiles, if it is worth them. The left operand is a band's window with channels as
// rows, the right one dy on the same grid, so that a tap is a distance along a row.
template <class T>
bool conv_weight_gradient_amx(ConvWeightGradient<T> q, const ConvDims& d, float* dw) {
  auto const rounded = [](Index i, Index to) { return (i + to - 1) / to * to; };
  ConvGather<T>& g = q.window;
  Index const reach_h = (g.taps_h - 1) * g.dilation, reach_w = (g.taps_w - 1) * g.dilation;
  q.phases_h = std::min(g.stride, reach_h + 1), q.phases_w = std::min(g.stride, reach_w + 1);
  // The zeros that end a row can be those that start the next one.
  Index const columns = g.grid_w + reach_w / g.stride, inside = (g.w + d.padding + g.stride - 1) / g.stride;
  Index const shared = std::min({d.padding / g.stride, reach_w / g.stride, columns - inside});
  q.plane_columns = columns - std::max<Index>(0, shared);
  g.plane_columns = q.plane_columns * g.stride;

  AmxGradient a;
  a.taps = g.taps_h * g.taps_w, a.channels = g.channels, a.outputs = g.outputs;
  Index const phases = q.phases_h * q.phases_w, size = a.taps * a.channels * a.outputs;
  Index const pixels = amx_chunk_pixels(size, a.channel_tiles() * 16 * phases + a.panels() * panel_width);
  q.band_rows = std::clamp<Index>(pixels / q.plane_columns, 1, g.grid_h);
  q.bands_per_image = (g.grid_h + q.band_rows - 1) / q.band_rows;
  q.band_rows = (g.grid_h + q.bands_per_image - 1) / q.bands_per_image;
  Index const band = rounded((q.band_rows - 1) * q.plane_columns + g.grid_w, 2 * amx_depth);
  if (!uses_amx_gradient(g.channels, q.band_rows * g.grid_w, band)) return false;
  q.bands_together = std::clamp<Index>(pixels / band, 1, q.bands());
  q.plane_rows = q.band_rows + reach_h / g.stride;
  q.plane_size = rounded(band + reach_h / g.stride * q.plane_columns + reach_w / g.stride, 2 * amx_depth);

  Scratch<Index> const offsets(a.taps + q.bands_together);
  for (Index tap = 0; tap < a.taps; ++tap) {
    Index const y = tap / g.taps_w * g.dilation, x = tap % g.taps_w * g.dilation;
    offsets.data()[tap] =
        (y % g.stride * q.phases_w + x % g.stride) * q.plane_size + y / g.stride * q.plane_columns + x / g.stride;
  }
  for (Index i = 0; i < q.bands_together; ++i) offsets.data()[a.taps + i] = i * phases * q.plane_size / 2;
  a.tap_offset = offsets.data();
  a.sum.a_offset = offsets.data() + a.taps;
  a.sum.units = band / 2;
  a.sum.panel_stride = q.bands_together * a.sum.units * panel_width;
  a.set_pitch(q.bands_together * phases * q.plane_size);
  a.chunks = (q.bands() + q.bands_together - 1) / q.bands_together;
  a.parts = conv_gradient_parts(size, a.chunks);
  a.dw_row = d.o;
  for (Index group = 0; group < d.groups; ++group) {
    g.source_offset = group * g.channels;
    g.out_offset = group * g.outputs;
    a.dw = dw + g.out_offset;
    amx_gradient(a, [&](Index chunk, bf16* left, Pair* right) {
      Index const first = chunk * q.bands_together, bands = std::min(q.bands_together, q.bands() - first);
      STIPPLE_CPU_DISPATCH_PAIRS(conv_pack_gradient_amx(q, a, first, bands, left, right));
      return bands;
    });
  }
  return true;
}

template <class T>
void conv2d_backward_weight(const T* x, const T* dy, compute_t<T>* dw, const ConvDims& d,
                            const NormPrologue<T>* prologue) {
  using C = compute_t<T>;
  if (is_depthwise(d)) return depthwise_conv2d_backward_weight(x, dy, dw, d);
  if (is_pointwise(d)) return matmul(pointwise_backward_weight<T, Cpu>(x, dy, dw, d));
  ConvWeightGradient<T> q;
  ConvGather<T>& g = q.window;
  g.source = x;
  g.prologue = prologue;
  g.n = d.n, g.h = d.h, g.w = d.w, g.source_channels = d.c, g.channels = d.c / d.groups;
  g.stride = d.stride, g.dilation = d.dilation, g.top = g.left = -d.padding;
  g.taps_h = d.kh, g.taps_w = d.kw;
  g.grid_h = d.oh, g.grid_w = d.ow, g.out_channels = d.o, g.outputs = d.o / d.groups;
  q.dy = dy;
  Index const rows = g.taps_h * g.taps_w * g.channels, size = rows * g.outputs;
  std::fill_n(dw, rows * d.o, C(0));
  if (d.n == 0 || d.oh <= 0 || d.ow <= 0 || size == 0) return;
  if constexpr (std::is_same_v<T, bf16>) {
    if (conv_weight_gradient_amx(q, d, dw) || conv_weight_gradient_winograd(g, d.groups, dy, dw)) return;
  }
  // One column more than the taps reach, because a last half pair reads one stride further.
  g.plane_columns = (g.grid_w - 1) * g.stride + (g.taps_w - 1) * g.dilation + 1 + g.stride;
  q.band_rows = conv_band_rows(g, g.grid_h);
  q.bands_per_image = (g.grid_h + q.band_rows - 1) / q.band_rows;
  q.bands_together = std::clamp<Index>(512 / (q.band_rows * g.grid_w), 1, 16);
  Index const bands = q.bands(), parts = conv_gradient_parts(size, (bands + q.bands_together - 1) / q.bands_together);
  Index const part = ((bands + parts - 1) / parts + q.bands_together - 1) / q.bands_together * q.bands_together;
  Scratch<C> const partial(parts * size);
  for (Index group = 0; group < d.groups; ++group) {
    g.source_offset = group * g.channels;
    g.out_offset = group * g.outputs;
    parallel_for(parts, 1, [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        C* const mine = partial.data() + p * size;
        std::fill_n(mine, size, C(0));
        if (p * part < bands)
          STIPPLE_CPU_DISPATCH_PRODUCT(T, conv_weight_gradient, q, mine, p * part, std::min(bands, (p + 1) * part));
      }
    });
    parallel_for(rows, std::max<Index>(1, 16 * 1024 / g.outputs), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        C* const to = dw + r * d.o + g.out_offset;
        for (Index p = 0; p < parts; ++p) {
          const C* const from = partial.data() + p * size + r * g.outputs;
          for (Index i = 0; i < g.outputs; ++i) to[i] += from[i];
        }
      }
    });
  }
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                  \
  STIPPLE_EXTERN template void stipple::cpu::conv2d<T>(const T*, const T*, const stipple::cpu::compute_t<T>*, \
                                                       const T*, const T*, T*, const stipple::ConvDims&,      \
                                                       const stipple::cpu::NormPrologue<T>*);                 \
  STIPPLE_EXTERN template void stipple::cpu::conv2d_backward_input<T>(                                        \
      const T*, const T*, const stipple::cpu::compute_t<T>*, T*, const stipple::ConvDims&);                   \
  STIPPLE_EXTERN template void stipple::cpu::conv2d_backward_weight<T>(                                       \
      const T*, const T*, stipple::cpu::compute_t<T>*, const stipple::ConvDims&,                              \
      const stipple::cpu::NormPrologue<T>*);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
