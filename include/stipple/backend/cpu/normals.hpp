// CPU kernel of keyed standard normals: the bits of Rng::normal, many at a time.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple::cpu {

/// Fills `rows` rows of `row` elements; row i with the normals of sample first_sample + i under `key`.
template <class T>
void fill_normals(const DrawKey& key, std::uint64_t first_sample, T* out, Index rows, Index row);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/normals.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void fill_normals(const DrawKey& key, std::uint64_t first_sample, T* out, Index rows, Index row) {
  if (row == 0) return;
  // Philox gives four numbers at a time, so a row consists of blocks of four.
  Index const blocks = (row + 3) / 4;
  parallel_for(rows * blocks, 2048, [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(T, fill_normals_range(key, first_sample, out, row, blocks, begin, end));
  });
}

}  // namespace stipple::cpu

#endif

#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_EXTERN template void stipple::cpu::fill_normals<float>(const stipple::DrawKey&, std::uint64_t, float*,
                                                               stipple::Index, stipple::Index);
#endif
