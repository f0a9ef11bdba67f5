#pragma once

#include <cmath>

#include "elementwise.cuh"
#include "recorded_key.cuh"

namespace stipple::cuda {

// A thread makes the four numbers of a Philox block; `blocks` blocks a row.
__global__ void __launch_bounds__(256) normals_kernel(RecordedKey keyed, std::uint64_t first_sample, float* out,
                                                      Index rows, Index row, Index blocks, bool aligned) {
  DrawKey const key = keyed.now();
  Index const n = rows * blocks;
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) {
    Index const sample = quotient(i, blocks), block = i - sample * blocks;
    auto const words = key.words(first_sample + static_cast<std::uint64_t>(sample), static_cast<std::uint64_t>(block));
    auto const a = normals_from_words(words[0], words[1]);
    auto const b = normals_from_words(words[2], words[3]);
    float const four[4] = {a[0], a[1], b[0], b[1]};
    store_lanes(out + sample * row, 4 * block, row, aligned, four);
  }
}

// `last` is the largest number below high: rounding must not reach it.
__global__ void __launch_bounds__(256)
    uniforms_kernel(RecordedKey keyed, std::uint64_t first_sample, float low, float high, float last, float* out,
                    Index rows, Index row, Index blocks, bool aligned) {
  DrawKey const key = keyed.now();
  Index const n = rows * blocks;
  for (Index i = first_element<1>(); i < n; i += element_stride<1>()) {
    Index const sample = quotient(i, blocks), block = i - sample * blocks;
    auto const words = key.words(first_sample + static_cast<std::uint64_t>(sample), static_cast<std::uint64_t>(block));
    float four[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      float const u = fmaf(uniform_from_word(words[static_cast<std::size_t>(k)]), high - low, low);
      four[k] = u < high ? u : last;
    }
    store_lanes(out + sample * row, 4 * block, row, aligned, four);
  }
}

}  // namespace stipple::cuda
