// Products of small matrices that lie in cache: what attention and linear attention share. See text/small_product.inl.
#pragma once

#include <stipple/backend/cpu/tile.hpp>

namespace stipple::cpu {

/// A matrix by its element strides; one of them is 1 in every use.
template <class C>
struct Strided {
  const C* data;
  Index row_stride, column_stride;
};

/// What a product does to its result.
enum class Into { overwrite, add };

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/small_product.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#endif
