// Products of bf16 in AMX tiles: what matmul and convolution share. See text/amx.inl.
//
// A tile product takes 16 rows of 16 units (pairs of bf16) of the left operand, at any constant distance, and 16 unit
// rows of a packed panel, which lie as tile.hpp packs them. The order of the sum in a row depends on the lengths of the
// segments alone, so the choice between tiles and vectors must depend on nothing else either: then a sample's result is
// the same bits in every batch.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/tile.hpp>

namespace stipple::cpu {

/// Unit rows of a tile, units of one that is full, and results of one.
inline constexpr Index amx_depth = 16, amx_tail = amx_depth * panel_width, amx_results = 16 * panel_width;

/// The terms of a product in tiles: segments of `units` units each, which in the panels follow one another.
struct AmxSum {
  const Index* a_offset = nullptr;  // of a segment in the left operand
  const Pair* right = nullptr;
  const Pair* tails = nullptr;
  Index segments = 1, units = 0, panel_stride = 0;
  Index row_bytes = 0;                                   // from one row of a tile to the next
  Index c_row = 2 * panel_width, c_panel = panel_width;  // from one row, one panel of the results to the next
  bool adds = false;                                     // to what the results are before

  int depth() const { return static_cast<int>(std::min(units, amx_depth)); }
  Index blocks() const { return (units + amx_depth - 1) / amx_depth; }
  /// The last block of a segment that is no multiple of a tile starts early, so that nothing else is read, and meets
  /// zeros where it repeats terms.
  bool has_tails() const { return units > amx_depth && units % amx_depth != 0; }
  Index tail_size() const { return has_tails() ? segments * amx_tail : 0; }
};

/// dw (taps, channels, outputs) = sum over pixels q of left (channel, q + tap_offset) right (q, output). The pixels are
/// taken in chunks of up to sum.segments segments, small enough for the second-level cache.
struct AmxGradient {
  AmxSum sum;
  const Index* tap_offset = nullptr;
  Index taps = 1, channels = 0, outputs = 0;
  Index pitch = 0;  // from one channel to the next in the left operand
  Index chunks = 0, parts = 1;
  float* dw = nullptr;
  Index dw_row = 0;  // from one channel to the next in dw

  Index channel_tiles() const { return (channels + 15) / 16; }
  Index tiles() const { return taps * channel_tiles(); }
  Index panels() const { return (outputs + panel_width - 1) / panel_width; }
  /// An odd number of cache lines, because the 16 rows of a tile would fall on few sets of a cache otherwise.
  void set_pitch(Index numbers) { pitch = (numbers + 31) / 32 * 32 | 32; }
};

/// True if bf16 products are done in tiles.
inline bool has_amx() {
  auto const& context = Context::instance();
  return context.isa == Isa::amx || context.emulate_amx;
}
/// True if bf16 products with segments of `units` units and n columns are worth tiles, and these can be had.
inline bool uses_amx(Index units, Index n) { return units >= amx_depth / 2 && n >= panel_width / 2 && has_amx(); }
/// True if a weight gradient over `terms` pixels, which fill up `padded` in tiles, is worth them: tiles are about eight
/// times as fast as dot products, so up to six times the work is.
inline bool uses_amx_gradient(Index channels, Index terms, Index padded) {
  return 6 * channels * terms >= (channels + 15) / 16 * 16 * padded && has_amx();
}
/// Pixels of a chunk, with so many numbers a pixel in both operands. 512 pixels of two panels are 32 KB, which stay in
/// the first-level cache; results that overflow the second one are passed over less often.
inline Index amx_chunk_pixels(Index results, Index numbers) {
  return std::clamp<Index>(512 * 1024 / numbers, 32, results > 256 * 1024 ? 2048 : 512);
}

// Calls amx::f(...), or its twin in plain code. Only for bf16.
#if STIPPLE_X86
#define STIPPLE_CPU_DISPATCH_AMX(...)    \
  do {                                   \
    if (Context::instance().emulate_amx) \
      amx_emulated::__VA_ARGS__;         \
    else                                 \
      amx::__VA_ARGS__;                  \
  } while (false)
// Calls f(...), which packs pairs, in the form of this processor even where the twin multiplies.
#define STIPPLE_CPU_DISPATCH_PAIRS(...) \
  do {                                  \
    if (uses_pairs<bf16>())             \
      avx512_bf16::__VA_ARGS__;         \
    else                                \
      portable::__VA_ARGS__;            \
  } while (false)
#else
#define STIPPLE_CPU_DISPATCH_AMX(...) amx_emulated::__VA_ARGS__
#define STIPPLE_CPU_DISPATCH_PAIRS(...) portable::__VA_ARGS__
#endif

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS
#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/transpose.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/amx.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// Computes dw. pack(chunk, left, right) fills the operands of a chunk, which are zero at first, and returns its
/// segments. The chunks are summed in fixed parts, each by one thread, and the parts added in order.
template <class Pack>
void amx_gradient(const AmxGradient& g, const Pack& pack) {
  Index const tiles = g.tiles(), panels = g.panels(), size = panels * tiles * amx_results;
  Index const part = (g.chunks + g.parts - 1) / g.parts;
  Scratch<float> const partial(g.parts * size);
  parallel_for(g.parts, 1, [&](Index begin, Index end) {
    Scratch<bf16> const left(g.channel_tiles() * 16 * g.pitch, true);
    Scratch<Pair> const right(panels * g.sum.panel_stride, true);
    for (Index p = begin; p < end; ++p) {
      float* const sums = partial.data() + p * size;
      std::fill_n(sums, size, 0.0f);
      for (Index chunk = p * part; chunk < std::min(g.chunks, (p + 1) * part); ++chunk) {
        AmxSum sum = g.sum;
        sum.segments = pack(chunk, left.data(), right.data());
        sum.right = right.data();
        sum.row_bytes = g.pitch * static_cast<Index>(sizeof(bf16));
        sum.c_row = panel_width;
        sum.c_panel = tiles * amx_results;
        sum.adds = true;
        STIPPLE_CPU_DISPATCH_AMX(add_amx_gradient(g, sum, left.data(), sums));
      }
    }
  });
  parallel_for(panels * tiles, 64, [&](Index begin, Index end) {
    alignas(64) float total[amx_results];
    for (Index i = begin; i < end; ++i) {
      const float* const from = partial.data() + i * amx_results;
      std::copy_n(from, amx_results, total);
      for (Index p = 1; p < g.parts; ++p) STIPPLE_CPU_DISPATCH(float, add_row(from + p * size, total, amx_results));
      Index const column = i / tiles * panel_width, tap = i % tiles % g.taps, channel = i % tiles / g.taps * 16;
      for (Index row = 0; row < std::min<Index>(16, g.channels - channel); ++row)
        std::copy_n(total + row * panel_width, std::min(panel_width, g.outputs - column),
                    g.dw + (tap * g.channels + channel + row) * g.dw_row + column);
    }
  });
}

}  // namespace stipple::cpu
#endif
