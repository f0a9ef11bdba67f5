// Products of small bf16 matrices that lie in cache, in AMX tiles or by dot instructions.
#pragma once

#include <stipple/backend/cpu/amx.hpp>
#include <stipple/backend/cpu/small_product.hpp>

namespace stipple::cpu {

/// c (rows, columns) = or += left (rows, 2 units) right (2 units, columns). `units` is a multiple of amx_depth; whole
/// panels of c are written, and where it is added to, whole tiles of 16 rows: callers pad their scratch.
struct PairProduct {
  const bf16* left;
  Index left_row;  // numbers from one row to the next
  const Pair* right;
  Index panel_stride;
  float* c;
  Index c_row;
  Index rows, columns, units;
  Into into;
};

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS
#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/pair_product.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/pair_product_amx.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// Only where products of bf16 are done by instructions or their twin.
inline void pair_product(const PairProduct& p) {
  if (has_amx()) {
    STIPPLE_CPU_DISPATCH_AMX(pair_product_amx(p));
  } else {
#if STIPPLE_X86
    avx512_bf16::pair_product_dots(p);
#endif
  }
}

}  // namespace stipple::cpu
#endif
