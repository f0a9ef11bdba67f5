#pragma once

#include <stipple/backend/pad_plan.hpp>

#include "elementwise.cuh"

namespace stipple::cuda {

// A thread makes `lanes` channels of an output pixel.
template <class T, bool whole>
__global__ void __launch_bounds__(256) pad_kernel(const T* x, T* y, PadPlan p, float value) {
  constexpr int lanes = whole ? lanes_of<T> : 1;
  Index const n = p.n * p.out_height * p.out_width * p.channels;
  float filled[lanes];
#pragma unroll
  for (int k = 0; k < lanes; ++k) filled[k] = value;
  for (Index i = first_element<lanes>(); i < n; i += element_stride<lanes>()) {
    Index const pixel = quotient(i, p.channels), row = quotient(pixel, p.out_width);
    Index const image = quotient(row, p.out_height);
    Index const source_row = row - image * p.out_height - p.top, source_column = pixel - row * p.out_width - p.left;
    if (source_row < 0 || source_row >= p.height || source_column < 0 || source_column >= p.width) {
      store_lanes(y, i, n, whole, filled);
      continue;
    }
    Index const source = (image * p.height + source_row) * p.width + source_column;
    const T* const from = x + source * p.channels + (i - pixel * p.channels);
    if constexpr (whole)
      store_quad(y + i, load_quad(from));
    else
      y[i] = *from;
  }
}

}  // namespace stipple::cuda
