// CPU matrix product, with either operand transposed, split over rows, columns and, for long sums, terms.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/tile.hpp>

namespace stipple::cpu {

/// out (m, n) = A (m, k) B (k, n) [+ bias (n)] [+ residual (m, n)]. A and B are given by element strides, of which one
/// is 1. `full` receives the result in the compute type instead of `out`, when set.
template <class T>
struct MatmulProblem {
  Index m = 0, n = 0, k = 0;
  const T* a = nullptr;
  Index a_row_stride = 0, a_k_stride = 1;
  const T* b = nullptr;
  Index b_k_stride = 0, b_n_stride = 1;
  const compute_t<T>* bias = nullptr;
  const T* residual = nullptr;
  T* out = nullptr;
  compute_t<T>* full = nullptr;
};

template <class T>
void matmul(const MatmulProblem<T>& problem);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

// The problem with its operands in units: where they lie and how to step through them.
template <class T>
struct MatmulJob : MatmulProblem<T> {
  const void* units_a = nullptr;
  const void* units_b = nullptr;
  Index units_a_row = 0, units_a_stride = 0, units_b_stride = 0, units_b_panel = 0;
};

struct MatmulBlock {
  Index row_begin, row_end, panel_begin, panel_end, unit_begin, unit_end;
  void* partial;  // of the compute type; null for the final result
};

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/matmul.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void matmul(const MatmulProblem<T>& problem) {
  using C = compute_t<T>;
  MatmulJob<T> j{problem};
  bool const pairs = uses_pairs<T>();
  bool const same = pairs || std::is_same_v<T, C>;  // units can be read in place
  Index const units = pairs ? (j.k + 1) / 2 : j.k;
  Index const panels = (j.n + panel_width - 1) / panel_width;
  std::size_t const unit_bytes = pairs ? sizeof(Pair) : sizeof(C);
  auto const units_to_c = [&](Index n) {
    return (n * static_cast<Index>(unit_bytes) + static_cast<Index>(sizeof(C)) - 1) / static_cast<Index>(sizeof(C));
  };

  bool const a_in_place = same && (pairs ? j.a_k_stride == 1 && j.k % 2 == 0 && j.a_row_stride % 2 == 0 : true);
  bool const b_in_place = std::is_same_v<T, C> && j.b_n_stride == 1 && j.n % panel_width == 0;
  Scratch<C> const a_units(a_in_place ? 0 : units_to_c(j.m * units));
  Scratch<C> const b_units(b_in_place ? 0 : units_to_c(panels * units * panel_width));

  if (a_in_place) {
    Index const per_unit = pairs ? 2 : 1;
    j.units_a = j.a;
    j.units_a_row = j.a_row_stride / per_unit;
    j.units_a_stride = pairs ? 1 : j.a_k_stride;
  } else if (pairs && j.a_k_stride != 1) {
    j.units_a = a_units.data();
    j.units_a_row = 1;
    j.units_a_stride = j.m;
    parallel_for(units, std::max<Index>(1, 8192 / j.m), [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_PRODUCT(T, pack_left_transposed, j, a_units.data(), begin, end);
    });
  } else {
    j.units_a = a_units.data();
    j.units_a_row = units;
    j.units_a_stride = 1;
    parallel_for(j.m, std::max<Index>(1, 8192 / std::max<Index>(1, j.k)), [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_PRODUCT(T, pack_left, j, a_units.data(), begin, end);
    });
  }
  if (b_in_place) {
    j.units_b = j.b;
    j.units_b_stride = j.b_k_stride;
    j.units_b_panel = panel_width;
  } else {
    j.units_b = b_units.data();
    j.units_b_stride = panel_width;
    j.units_b_panel = units * panel_width;
    parallel_for(panels, std::max<Index>(1, 8192 / std::max<Index>(1, j.k * panel_width)), [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_PRODUCT(T, pack_right, j, b_units.data(), begin, end);
    });
  }

  // Sums over many terms with few results (weight gradients) are split along the terms into fixed parts.
  Index const row_block = 96, panel_block = 8;
  Index const row_blocks = (j.m + row_block - 1) / row_block, panel_blocks = (panels + panel_block - 1) / panel_block;
  Index const parts = j.full == nullptr ? 1 : std::clamp<Index>(units / 1024, 1, 16);
  if (parts == 1) {
    Index const small = j.m * j.n * j.k < 64 * 1024 ? row_blocks * panel_blocks : 1;  // not worth a second thread
    parallel_for(row_blocks * panel_blocks, small, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        Index const row = i / panel_blocks * row_block, panel = i % panel_blocks * panel_block;
        MatmulBlock const block{
            row, std::min(j.m, row + row_block), panel, std::min(panels, panel + panel_block), 0, units, j.full};
        STIPPLE_CPU_DISPATCH_PRODUCT(T, matmul_block, j, block);
      }
    });
    return;
  }
  Scratch<C> const partial(parts * j.m * j.n);
  Index const part_units = (units + parts - 1) / parts;
  parallel_for(parts, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      MatmulBlock const block{
          0, j.m, 0, panels, i * part_units, std::min(units, (i + 1) * part_units), partial.data() + i * j.m * j.n};
      STIPPLE_CPU_DISPATCH_PRODUCT(T, matmul_block, j, block);
    }
  });
  Index const n = j.m * j.n;
  parallel_for(n, 16 * 1024, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      C total = partial.data()[i];
      for (Index p = 1; p < parts; ++p) total += partial.data()[p * n + i];
      j.full[i] = total;
    }
  });
}

}  // namespace stipple::cpu

#endif

#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_EXTERN template void stipple::cpu::matmul<float>(const stipple::cpu::MatmulProblem<float>&);
STIPPLE_EXTERN template void stipple::cpu::matmul<stipple::bf16>(const stipple::cpu::MatmulProblem<stipple::bf16>&);
STIPPLE_EXTERN template void stipple::cpu::matmul<double>(const stipple::cpu::MatmulProblem<double>&);
#endif
