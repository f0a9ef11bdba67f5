#pragma once

#include <cmath>
#include <cstdint>

#include "elementwise.cuh"

namespace stipple::cuda {

// A thread copies 16 bytes of a row with `whole`, an element otherwise.
template <class T, bool whole>
__global__ void __launch_bounds__(256)
    embedding_kernel(const T* table, const std::int32_t* ids, T* y, Index count, Index entries, Index width) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = count * width;
  float missing[lanes];
#pragma unroll
  for (int k = 0; k < lanes; ++k) missing[k] = NAN;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Index const row = quotient(i, width), id = ids[row];
    if (id < 0 || id >= entries) {
      store_lanes(y, i, n, whole, missing);
      continue;
    }
    const T* const from = table + id * width + (i - row * width);
    if constexpr (whole)
      store_quad(y + i, load_quad(from));
    else
      y[i] = *from;
  }
}

// A thread makes one number of the gradient: it looks through all ids, so that the order of the sum is theirs.
template <class T>
__global__ void __launch_bounds__(256) embedding_backward_kernel(const T* dy, const std::int32_t* ids, float* gradient,
                                                                 Index count, Index entries, Index width) {
  Index const n = entries * width;
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) {
    Index const entry = quotient(i, width), column = i - entry * width;
    float total = 0.0f;
    for (Index k = 0; k < count; ++k)
      if (ids[k] == entry) total += to_float(dy[k * width + column]);
    gradient[i] = total;
  }
}

template <class T>
__global__ void __launch_bounds__(256)
    one_hot_kernel(const std::int32_t* ids, T* y, Index count, Index classes, Index no_class) {
  Index const n = count * classes;
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) {
    Index const row = quotient(i, classes), id = ids[row];
    bool const is_class = id >= 0 && id < classes;
    y[i] = from_float<T>(id == no_class ? 0.0f : !is_class ? NAN : id == i - row * classes ? 1.0f : 0.0f);
  }
}

}  // namespace stipple::cuda
