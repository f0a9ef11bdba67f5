// CPU kernels of table look-up.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include <stipple/backend/cpu/arithmetic.hpp>

namespace stipple::cpu {

/// Row i of y is row ids[i] of the table; rows of `width` elements.
template <class T>
void embedding(const T* table, const std::int32_t* ids, T* y, Index count, Index width);
/// Row v of `gradient` is the sum of the rows i of dy with ids[i] = v, in their order.
template <class T>
void embedding_backward(const T* dy, const std::int32_t* ids, compute_t<T>* gradient, Index count, Index entries,
                        Index width);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

template <class T>
void embedding(const T* table, const std::int32_t* ids, T* y, Index count, Index width) {
  auto const bytes = static_cast<std::size_t>(width) * sizeof(T);
  if (bytes == 0) return;
  parallel_for(count, std::max<Index>(1, elementwise_grain / width), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) std::memcpy(static_cast<void*>(y + i * width), table + ids[i] * width, bytes);
  });
}

template <class T>
void embedding_backward(const T* dy, const std::int32_t* ids, compute_t<T>* gradient, Index count, Index entries,
                        Index width) {
  // Positions of each id, in order: place[start[v]] to place[start[v + 1]].
  std::vector<Index> start(static_cast<std::size_t>(entries) + 1), place(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) ++start[static_cast<std::size_t>(ids[i]) + 1];
  for (std::size_t v = 1; v < start.size(); ++v) start[v] += start[v - 1];
  auto next = start;
  for (Index i = 0; i < count; ++i) place[static_cast<std::size_t>(next[static_cast<std::size_t>(ids[i])]++)] = i;
  Index const cost = width * (1 + count / std::max<Index>(1, entries));
  parallel_for(entries, std::max<Index>(1, elementwise_grain / std::max<Index>(1, cost)), [&](Index begin, Index end) {
    for (Index v = begin; v < end; ++v) {
      auto* const sum = gradient + v * width;
      std::fill_n(sum, width, compute_t<T>(0));
      for (Index k = start[static_cast<std::size_t>(v)]; k < start[static_cast<std::size_t>(v) + 1]; ++k) {
        const T* const row = dy + place[static_cast<std::size_t>(k)] * width;
        STIPPLE_CPU_DISPATCH(T, arithmetic_range<compute_t<T>, T>(Arithmetic::add, sum, row, sum, width));
      }
    }
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                 \
  STIPPLE_EXTERN template void stipple::cpu::embedding<T>(const T*, const std::int32_t*, T*, stipple::Index, \
                                                          stipple::Index);                                   \
  STIPPLE_EXTERN template void stipple::cpu::embedding_backward<T>(                                          \
      const T*, const std::int32_t*, stipple::cpu::compute_t<T>*, stipple::Index, stipple::Index, stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
