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

/// Unit rows of a tile, and units of one that is full.
inline constexpr Index amx_depth = 16, amx_tail = amx_depth * panel_width;

/// The terms of a product in tiles: segments of `units` units each, which in the panels follow one another.
struct AmxSum {
  const Index* a_offset = nullptr;  // of a segment in the left operand
  const Pair* right = nullptr;
  const Pair* tails = nullptr;
  Index segments = 1, units = 0, panel_stride = 0;
  Index row_bytes = 0;  // from one row of a tile to the next

  int depth() const { return static_cast<int>(std::min(units, amx_depth)); }
  Index blocks() const { return (units + amx_depth - 1) / amx_depth; }
  /// The last block of a segment that is no multiple of a tile starts early, so that nothing else is read, and meets
  /// zeros where it repeats terms.
  bool has_tails() const { return units > amx_depth && units % amx_depth != 0; }
  Index tail_size() const { return has_tails() ? segments * amx_tail : 0; }
};

/// True if bf16 products with segments of `units` units and n columns are worth tiles, and these can be had.
inline bool uses_amx(Index units, Index n) {
  auto const& context = Context::instance();
  return (context.isa == Isa::amx || context.emulate_amx) && units >= amx_depth / 2 && n >= panel_width / 2;
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
#else
#define STIPPLE_CPU_DISPATCH_AMX(...) amx_emulated::__VA_ARGS__
#endif

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/amx.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#endif
