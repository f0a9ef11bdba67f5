#pragma once

#include "elementwise.cuh"

namespace stipple::cuda {

// to[row, to_first + c] = from[row, from_first + c] for c < count. With `whole`, threads take 16 bytes at a time;
// otherwise an element.
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    copy_columns_kernel(const T* from, T* to, Index rows, Index count, Index from_columns, Index from_first,
                        Index to_columns, Index to_first) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = rows * count;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Index const row = quotient(i, count), column = i - row * count;
    const T* const source = from + row * from_columns + from_first + column;
    T* const target = to + row * to_columns + to_first + column;
    if constexpr (whole)
      store_quad(target, load_quad(source));
    else
      *target = *source;
  }
}

}  // namespace stipple::cuda
