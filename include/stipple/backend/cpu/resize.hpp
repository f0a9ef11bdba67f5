// CPU kernel of separable resampling: resizing, average pooling, and the gradients of both.
#pragma once

#include <algorithm>
#include <vector>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>

namespace stipple::cpu {

/// Along one axis: output o is the sum of weight[k] input[index[k]] over k in [start[o], start[o + 1]).
struct Taps {
  std::vector<Index> start{0}, index;
  std::vector<double> weight;

  Index outputs() const { return static_cast<Index>(start.size()) - 1; }
  void add(Index i, double w) {
    index.push_back(i);
    weight.push_back(w);
  }
  void end_output() { start.push_back(static_cast<Index>(index.size())); }
};

/// The map whose matrix is the transpose: it takes gradients of the outputs to those of `inputs` inputs.
Taps transpose(const Taps& taps, Index inputs);

/// y (n, rows.outputs(), columns.outputs(), channels) from x (n, height, width, channels).
template <class T>
void resample(const T* x, T* y, Index n, Index height, Index width, Index channels, const Taps& rows,
              const Taps& columns);

inline Taps transpose(const Taps& taps, Index inputs) {
  Taps result;
  result.start.assign(static_cast<std::size_t>(inputs) + 1, 0);
  for (Index i : taps.index) ++result.start[static_cast<std::size_t>(i) + 1];
  for (std::size_t i = 1; i < result.start.size(); ++i) result.start[i] += result.start[i - 1];
  result.index.resize(taps.index.size());
  result.weight.resize(taps.index.size());
  auto next = result.start;
  for (Index o = 0; o < taps.outputs(); ++o) {
    for (auto k = static_cast<std::size_t>(taps.start[static_cast<std::size_t>(o)]);
         k < static_cast<std::size_t>(taps.start[static_cast<std::size_t>(o) + 1]); ++k) {
      auto const at = static_cast<std::size_t>(next[static_cast<std::size_t>(taps.index[k])]++);
      result.index[at] = o;
      result.weight[at] = taps.weight[k];
    }
  }
  return result;
}

/// Taps as a kernel reads them.
template <class C>
struct TapsView {
  const Index* start;
  const Index* index;
  const C* weight;
};

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/resize.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
void resample(const T* x, T* y, Index n, Index height, Index width, Index channels, const Taps& rows,
              const Taps& columns) {
  using C = compute_t<T>;
  std::vector<C> const row_weight(rows.weight.begin(), rows.weight.end());
  std::vector<C> const column_weight(columns.weight.begin(), columns.weight.end());
  TapsView<C> const r{rows.start.data(), rows.index.data(), row_weight.data()};
  TapsView<C> const c{columns.start.data(), columns.index.data(), column_weight.data()};
  Index const out_height = rows.outputs(), out_width = columns.outputs();
  Index const row_cost = std::max<Index>(1, (out_width + width) * channels);
  parallel_for(n * out_height, std::max<Index>(1, 16 * 1024 / row_cost), [=](Index begin, Index end) {
    for (Index o = begin; o < end; ++o) {
      const T* const image = x + o / out_height * height * width * channels;
      T* const row = y + o * out_width * channels;
      STIPPLE_CPU_DISPATCH(T, resample_row<T>(image, row, width, channels, out_width, r, c, o % out_height));
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                           \
  STIPPLE_EXTERN template void stipple::cpu::resample<T>(const T*, T*, stipple::Index, stipple::Index, stipple::Index, \
                                                         stipple::Index, const stipple::cpu::Taps&,                    \
                                                         const stipple::cpu::Taps&);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
