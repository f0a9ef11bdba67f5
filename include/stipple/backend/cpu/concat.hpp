// CPU kernels that join rows of several arrays, and cut columns out of rows.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/core/context.hpp>
#include <stipple/core/dtype.hpp>

namespace stipple::cpu {

/// One operand of `concat`: rows of `columns` elements.
template <class T>
struct ConcatPart {
  const T* data;
  Index columns;
};

/// Row i of y is row i of every part, one after the other.
template <class T>
void concat(std::span<const ConcatPart<T>> parts, T* y, Index rows);
/// y (rows, count) = columns [first, first + count) of x (rows, columns).
template <class T>
void cut_columns(const T* x, T* y, Index rows, Index columns, Index first, Index count);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

inline constexpr Index copy_grain = 32 * 1024;  // elements

template <class T>
void concat(std::span<const ConcatPart<T>> parts, T* y, Index rows) {
  Index columns = 0;
  for (auto const& part : parts) columns += part.columns;
  parallel_for(rows, std::max<Index>(1, copy_grain / std::max<Index>(1, columns)), [=](Index begin, Index end) {
    Index at = 0;
    for (auto const& part : parts) {
      auto const bytes = static_cast<std::size_t>(part.columns) * sizeof(T);
      if (bytes == 0) continue;
      for (Index row = begin; row < end; ++row)
        std::memcpy(static_cast<void*>(y + row * columns + at), part.data + row * part.columns, bytes);
      at += part.columns;
    }
  });
}

template <class T>
void cut_columns(const T* x, T* y, Index rows, Index columns, Index first, Index count) {
  auto const bytes = static_cast<std::size_t>(count) * sizeof(T);
  if (bytes == 0) return;
  parallel_for(rows, std::max<Index>(1, copy_grain / count), [=](Index begin, Index end) {
    for (Index row = begin; row < end; ++row)
      std::memcpy(static_cast<void*>(y + row * count), x + row * columns + first, bytes);
  });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                              \
  STIPPLE_EXTERN template void stipple::cpu::concat<T>(std::span<const stipple::cpu::ConcatPart<T>>, T*,  \
                                                       stipple::Index);                                   \
  STIPPLE_EXTERN template void stipple::cpu::cut_columns<T>(const T*, T*, stipple::Index, stipple::Index, \
                                                            stipple::Index, stipple::Index);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
