// What forms of a dense convolution share: its description as a sum that gathers, and windows of its source.
#pragma once

#include <optional>

#include <stipple/backend/cpu/norm_tiles.hpp>
#include <stipple/backend/cpu/tile.hpp>

namespace stipple::cpu {

/// A group norm before a convolution, applied while the source is packed: f((x - mean) rstd weight + bias) with the
/// statistics (n, groups) of `group_norm`; weight and bias (c) may be null.
template <class T>
struct NormPrologue {
  const compute_t<T>*mean = nullptr, *rstd = nullptr, *weight = nullptr, *bias = nullptr;
  Index groups = 1;
  Activation activation = Activation::none;
};

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

// One convolution that gathers: output (i, j) of a grid sums taps (a, b) of the source at row
// i stride + a dilation + top and column j stride + b dilation + left, where the source is spread with zeros.
template <class T>
struct ConvGather {
  const T* source = nullptr;
  const NormPrologue<T>* prologue = nullptr;
  Index n = 0, h = 0, w = 0, source_channels = 0, source_offset = 0, channels = 0;
  Index stride = 1, dilation = 1, spread = 1, top = 0, left = 0, plane_columns = 0;
  // Tap (a, b) reads the kernel at (tap_h0 + a tap_h_step, tap_w0 + b tap_w_step); its matrix (channels, outputs) has
  // these element strides.
  Index taps_h = 1, taps_w = 1, tap_h0 = 0, tap_h_step = 1, tap_w0 = 0, tap_w_step = 1;
  const T* weight = nullptr;
  Index weight_kw = 1, weight_tap = 0, weight_k_stride = 0, weight_n_stride = 0;
  // Grid point (i, j) is written to pixel (out_top + i out_step, out_left + j out_step).
  T* out = nullptr;
  Index grid_h = 0, grid_w = 0, out_h = 0, out_w = 0, out_channels = 0, out_offset = 0, outputs = 0;
  Index out_top = 0, out_left = 0, out_step = 1;
  const compute_t<T>* bias = nullptr;
  const T* addend = nullptr;
  const T* residual = nullptr;
};

// Without dilation the taps of a kernel row lie side by side in the window, so each kernel row is one segment of the
// sum; otherwise each tap is.
template <class T>
Index conv_segments(const ConvGather<T>& g) {
  return g.dilation == 1 ? g.taps_h : g.taps_h * g.taps_w;
}
// Where the segments lie in the window, for pixels of `units` units.
template <class T>
void conv_offsets(const ConvGather<T>& g, Index units, Index* offsets) {
  Index const a_row = g.dilation == 1 ? 1 : g.taps_w;
  for (Index s = 0; s < conv_segments(g); ++s)
    offsets[s] = (s / a_row * g.dilation * g.plane_columns + s % a_row * g.dilation) * units;
}

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/conv_window.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

#endif
