// CPU matrix product, with either operand transposed, split over rows, columns and, for long sums, terms.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/amx.hpp>
#include <stipple/backend/cpu/tile.hpp>
#include <stipple/backend/matmul_problem.hpp>

namespace stipple::cpu {

template <class T>
void matmul(const MatmulProblem<T>& problem);
/// `count` products without bias and residual, whose operands and results follow each other in memory.
template <class T>
void matmul_batch(MatmulProblem<T> p, Index count) {
  for (Index i = 0; i < count; ++i) {
    matmul(p);
    p.a += p.m * p.k;
    p.b += p.k * p.n;
    p.out += p.m * p.n;
  }
}

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
  Index row_begin, row_end, panel_begin, panel_end, units;
  void* full;  // where results go in the compute type; null: to the problem's `out`
  bool add;    // to what is there
};

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/matmul.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#define STIPPLE_KERNEL_TEXT_AMX
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/matmul_amx.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

// Where the operands of a problem lie in units: in place where the instructions can read them there, else packed.
template <class T>
class MatmulOperands {
  using C = compute_t<T>;

 public:
  // Room for problems of up to k terms.
  MatmulOperands(const MatmulProblem<T>& p, Index k)
      : pairs_(uses_pairs<T>()),
        a_in_place_((pairs_ && p.a_k_stride == 1 && p.k % 2 == 0 && p.a_row_stride % 2 == 0) || std::is_same_v<T, C>),
        b_in_place_(std::is_same_v<T, C> && p.b_n_stride == 1 && p.n % panel_width == 0),
        a_(a_in_place_ ? 0 : p.m * units(k)),  // a unit is never larger than a C
        b_(b_in_place_ ? 0 : panels(p) * units(k) * panel_width) {}

  Index units(Index terms) const { return pairs_ ? (terms + 1) / 2 : terms; }
  static Index panels(const MatmulProblem<T>& p) { return (p.n + panel_width - 1) / panel_width; }

  // Packs what has to be packed, on all threads (or inline inside of a region).
  MatmulJob<T> pack(const MatmulProblem<T>& p) const {
    MatmulJob<T> j{p};
    Index const n = units(p.k);
    if (a_in_place_) {
      j.units_a = p.a;
      j.units_a_row = pairs_ ? p.a_row_stride / 2 : p.a_row_stride;
      j.units_a_stride = pairs_ ? 1 : p.a_k_stride;
    } else if (pairs_ && p.a_k_stride != 1) {
      j.units_a = a_.data();
      j.units_a_row = 1;
      j.units_a_stride = p.m;
      parallel_for(n, std::max<Index>(1, 8192 / p.m), [&](Index begin, Index end) {
        STIPPLE_CPU_DISPATCH_PRODUCT(T, pack_left_transposed, j, a_.data(), begin, end);
      });
    } else {
      j.units_a = a_.data();
      j.units_a_row = n;
      j.units_a_stride = 1;
      parallel_for(p.m, std::max<Index>(1, 8192 / std::max<Index>(1, p.k)), [&](Index begin, Index end) {
        STIPPLE_CPU_DISPATCH_PRODUCT(T, pack_left, j, a_.data(), begin, end);
      });
    }
    if (b_in_place_) {
      j.units_b = p.b;
      j.units_b_stride = p.b_k_stride;
      j.units_b_panel = panel_width;
    } else {
      j.units_b = b_.data();
      j.units_b_stride = panel_width;
      j.units_b_panel = n * panel_width;
      Index const grain = std::max<Index>(1, 8192 / std::max<Index>(1, p.k * panel_width));
      parallel_for(panels(p), grain, [&](Index begin, Index end) {
        STIPPLE_CPU_DISPATCH_PRODUCT(T, pack_right, j, b_.data(), begin, end);
      });
    }
    return j;
  }

 private:
  bool pairs_, a_in_place_, b_in_place_;
  Scratch<C> a_, b_;
};

// Sums over many terms with few results (weight gradients): fixed parts of the terms, each summed by one thread in
// pieces that stay in its cache, then added in order.
template <class T>
void matmul_long(const MatmulProblem<T>& p, Index parts) {
  using C = compute_t<T>;
  constexpr Index piece = 512;  // terms; even, so that pairs don't straddle pieces
  Index const n = p.m * p.n, pieces = (p.k + piece - 1) / piece, part = (pieces + parts - 1) / parts;
  Scratch<C> const partial(parts * n, true);
  parallel_for(parts, 1, [&](Index begin, Index end) {
    MatmulOperands<T> const operands(p, piece);
    for (Index i = begin; i < end; ++i) {
      for (Index k = i * part * piece; k < std::min(p.k, (i + 1) * part * piece); k += piece) {
        MatmulProblem<T> mine = p;
        mine.k = std::min(piece, p.k - k);
        mine.a += k * p.a_k_stride;
        mine.b += k * p.b_k_stride;
        auto const job = operands.pack(mine);
        MatmulBlock const block{0, p.m, 0, operands.panels(p), operands.units(mine.k), partial.data() + i * n, true};
        STIPPLE_CPU_DISPATCH_PRODUCT(T, matmul_block, job, block);
      }
    }
  });
  parallel_for(n, 16 * 1024, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      C total = partial.data()[i];
      for (Index q = 1; q < parts; ++q) total += partial.data()[q * n + i];
      p.full[i] = total;
    }
  });
}

// The same for bf16 in AMX tiles; the rows of A are the columns of the matrix that is given.
template <class T>
void matmul_long_amx(const MatmulProblem<T>& p, Index parts) {
  AmxGradient g;
  g.channels = p.m, g.outputs = p.n;
  Index const most = amx_chunk_pixels(p.m * p.n, (g.channel_tiles() + g.panels()) * 16);
  Index const pieces = (p.k + most - 1) / most, piece = (p.k + pieces * 32 - 1) / (pieces * 32) * 32;
  Index const start = 0;
  g.tap_offset = g.sum.a_offset = &start;
  g.sum.units = piece / 2;
  g.sum.panel_stride = g.sum.units * panel_width;
  g.set_pitch(piece);
  g.chunks = (p.k + piece - 1) / piece;
  g.parts = parts;
  g.dw = p.full;
  g.dw_row = p.n;
  amx_gradient(g, [&](Index chunk, bf16* left, Pair* right) -> Index {
    Index const terms = std::min(piece, p.k - chunk * piece);
    if (terms < piece) {
      std::fill_n(left, p.m * g.pitch, bf16{});
      std::fill_n(right, g.panels() * g.sum.panel_stride, Pair{});
    }
    STIPPLE_CPU_DISPATCH_PAIRS(pack_gradient_amx(p, g, chunk * piece, terms, left, right));
    return 1;
  });
}

// Calls f(block) for all blocks of the result, on all threads; the rows of most blocks are a multiple of `whole_tiles`.
template <class T, class F>
void matmul_blocks(const MatmulProblem<T>& p, Index units, Index whole_tiles, const F& f) {
  constexpr Index panel_block = 8, most_rows = 96, wanted_blocks = 16;
  Index const panels = (p.n + panel_width - 1) / panel_width, panel_blocks = (panels + panel_block - 1) / panel_block;
  // Small results are cut finer, so that there is something to share between threads.
  Index const even = (p.m * panel_blocks + wanted_blocks - 1) / wanted_blocks;
  Index const row_block = std::clamp((even + whole_tiles - 1) / whole_tiles * whole_tiles, whole_tiles, most_rows);
  Index const row_blocks = (p.m + row_block - 1) / row_block;
  Index const grain = p.m * p.n * p.k < 64 * 1024 ? row_blocks * panel_blocks : 1;  // small ones stay on one thread
  parallel_for(row_blocks * panel_blocks, grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      Index const row = i / panel_blocks * row_block, panel = i % panel_blocks * panel_block;
      f(MatmulBlock{row, std::min(p.m, row + row_block), panel, std::min(panels, panel + panel_block), units, p.full,
                    false});
    }
  });
}

// A product of bf16 in AMX tiles.
template <class T>
void matmul_amx(const MatmulProblem<T>& p) {
  MatmulJob<T> j{p};
  bool const turned = p.a_k_stride != 1, in_place = !turned && p.k % 2 == 0 && p.a_row_stride % 2 == 0;
  AmxSum sum;
  Index const start = 0, panels = (p.n + panel_width - 1) / panel_width, units = (p.k + 1) / 2;
  sum.a_offset = &start;
  sum.units = units;
  sum.panel_stride = j.units_b_panel = units * panel_width;
  // Transposed rows start an odd number of cache lines apart, so that those of a tile don't share a few of their sets.
  j.units_a_row = turned ? (units + 15) / 16 * 16 | 16 : in_place ? p.a_row_stride / 2 : units;
  sum.row_bytes = j.units_a_row * static_cast<Index>(sizeof(Pair));
  Scratch<Pair> const a(in_place ? 0 : p.m * j.units_a_row, turned && p.k % 2 != 0), b(panels * sum.panel_stride),
      tails(panels * sum.tail_size());
  j.units_a = in_place ? static_cast<const void*>(p.a) : a.data();
  sum.right = b.data();
  sum.tails = tails.data();
  if (turned) {
    parallel_for((p.m + 15) / 16, std::max<Index>(1, 1024 / p.k), [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_PAIRS(pack_left_amx_transposed(p, reinterpret_cast<bf16*>(a.data()), 2 * j.units_a_row,
                                                          begin * 16, std::min(p.m, end * 16)));
    });
  } else if (!in_place) {
    parallel_for(p.m, std::max<Index>(1, 8192 / p.k),
                 [&](Index begin, Index end) { STIPPLE_CPU_DISPATCH_AMX(pack_left_amx(j, a.data(), begin, end)); });
  }
  parallel_for(panels, std::max<Index>(1, 8192 / (p.k * panel_width)), [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH_AMX(pack_right_amx(j, sum, b.data(), tails.data(), begin, end));
  });
  matmul_blocks(p, units, 32,
                [&](const MatmulBlock& block) { STIPPLE_CPU_DISPATCH_AMX(matmul_block_amx(j, block, sum)); });
}

template <class T>
void matmul(const MatmulProblem<T>& p) {
  if (p.m == 0 || p.n == 0) return;
  Index const parts = p.full == nullptr ? 1 : std::clamp<Index>(p.k / 2048, 1, 16);
  if constexpr (std::is_same_v<T, bf16>) {
    bool const is_gradient = parts > 1 && p.a_row_stride == 1;
    if (is_gradient && uses_amx_gradient(p.m, p.k, p.k)) return matmul_long_amx(p, parts);
    if (!is_gradient && uses_amx((p.k + 1) / 2, p.n)) return matmul_amx(p);
  }
  if (parts > 1) return matmul_long(p, parts);
  MatmulOperands<T> const operands(p, p.k);
  auto const job = operands.pack(p);
  matmul_blocks(p, operands.units(p.k), 12,
                [&](const MatmulBlock& block) { STIPPLE_CPU_DISPATCH_PRODUCT(T, matmul_block, job, block); });
}

}  // namespace stipple::cpu

#endif

#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_EXTERN template void stipple::cpu::matmul<float>(const stipple::MatmulProblem<float>&);
STIPPLE_EXTERN template void stipple::cpu::matmul<stipple::bf16>(const stipple::MatmulProblem<stipple::bf16>&);
STIPPLE_EXTERN template void stipple::cpu::matmul<double>(const stipple::MatmulProblem<double>&);
#endif
