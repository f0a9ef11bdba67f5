#pragma once

#include "device.cuh"

namespace stipple::cuda {

// `pattern` repeats a value over 8 bytes; to[i] of the values is its part at i modulo the values in 8 bytes.
template <class Word>
__global__ void __launch_bounds__(256) fill_kernel(Word* to, std::uint64_t pattern, Index n, bool aligned) {
  constexpr Index per_quad = 16 / static_cast<Index>(sizeof(Word));
  auto const low = static_cast<std::uint32_t>(pattern), high = static_cast<std::uint32_t>(pattern >> 32);
  Index const stride = Index{gridDim.x} * blockDim.x * per_quad;
  for (Index i = (Index{blockIdx.x} * blockDim.x + threadIdx.x) * per_quad; i < n; i += stride) {
    if (aligned && i + per_quad <= n) {
      store_quad(to + i, Quad{{low, high, low, high}});
    } else {
      for (Index k = i; k < i + per_quad && k < n; ++k) to[k] = static_cast<Word>(pattern);
    }
  }
}

}  // namespace stipple::cuda
