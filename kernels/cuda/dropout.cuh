#pragma once

#include <stipple/backend/dropout_plan.hpp>

#include "elementwise.cuh"
#include "recorded_key.cuh"

namespace stipple::cuda {

// 16 threads do a group of 128 elements (see dropout_group): thread l makes the bits of Philox block l, which belong to
// elements l, 16 + l, ..., and hands them to the threads that do these elements, 8 neighbours each.
template <class T>
__global__ void __launch_bounds__(256) dropout_kernel(const T* x, T* y, Index samples, Index size, RecordedKey keyed,
                                                      std::uint32_t threshold, float scale, bool aligned) {
  constexpr int lanes = 8;
  DrawKey const key = keyed.now();
  Index const groups = quotient(size + dropout_group - 1, dropout_group), items = samples * groups;
  Index const warps = Index{gridDim.x} * (blockDim.x / warp_size);
  int const lane = static_cast<int>(threadIdx.x % 16), half = static_cast<int>(threadIdx.x % warp_size) & 16;
  // A warp does two groups at a time; all of its lanes take part in the exchange to the end.
  for (Index pair = (Index{blockIdx.x} * blockDim.x + threadIdx.x) / warp_size; 2 * pair < items; pair += warps) {
    Index const item = 2 * pair + half / 16, sample = quotient(item, groups), group = item - sample * groups;
    auto const words = key.words(static_cast<std::uint64_t>(sample), static_cast<std::uint64_t>(16 * group + lane));
    unsigned kept = 0;  // bit p belongs to element 16 p + lane
#pragma unroll
    for (int p = 0; p < 8; ++p) {
      std::uint32_t const bits = words[static_cast<std::size_t>(p / 2)] >> (16 * (p % 2)) & 0xffffu;
      kept |= static_cast<unsigned>(bits >= threshold) << p;
    }
    // Elements 8 lane to 8 lane + 7 of the group: p = lane / 2, from the threads 8 (lane % 2) on.
    bool keep[lanes];
#pragma unroll
    for (int k = 0; k < lanes; ++k)
      keep[k] = (__shfl_sync(all_lanes, kept, half + lane % 2 * 8 + k) >> (lane / 2) & 1u) != 0;
    Index const i = group * dropout_group + lane * lanes;
    if (item >= items || i >= size) continue;
    float v[lanes];
    load_lanes(x + sample * size, i, size, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] = keep[k] ? v[k] * scale : 0.0f;
    store_lanes(y + sample * size, i, size, aligned, v);
  }
}

}  // namespace stipple::cuda
