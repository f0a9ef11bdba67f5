#pragma once

#include <cmath>

#include <stipple/backend/norm_shape.hpp>

#include "block.cuh"
#include "columns.cuh"

namespace stipple::cuda {

// Mean and sum of squared distances from it of each channel over a slab: moments (samples, slabs, 2, channels). The
// slab is read twice; the second time it comes from a cache.
template <class T>
__global__ void __launch_bounds__(256) slab_moments_kernel(const T* x, float* moments, Slabs s, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, column_threads* lanes);
  Columns const at = Columns::of_thread<lanes>(s);
  const T* const image = x + at.sample * s.pixels * s.channels;
  float mean[lanes] = {}, squares[lanes] = {};
  if (at.inside) {
    for (Index p = at.pixel; p < at.end; p += blockDim.y) {
      float v[lanes];
      load_lanes(image + p * s.channels, at.channel, s.channels, aligned, v);
#pragma unroll
      for (int k = 0; k < lanes; ++k) mean[k] += v[k];
    }
  }
  sum_over_pixels(mean, scratch);
  float const share = 1.0f / static_cast<float>(at.end - at.slab * s.size);
#pragma unroll
  for (int k = 0; k < lanes; ++k) mean[k] *= share;
  if (at.inside) {
    for (Index p = at.pixel; p < at.end; p += blockDim.y) {
      float v[lanes];
      load_lanes(image + p * s.channels, at.channel, s.channels, aligned, v);
#pragma unroll
      for (int k = 0; k < lanes; ++k) squares[k] = fmaf(v[k] - mean[k], v[k] - mean[k], squares[k]);
    }
  }
  sum_over_pixels(squares, scratch);
  if (threadIdx.y == 0 && at.inside) {
    float* const to = moments + (at.sample * s.count + at.slab) * 2 * s.channels;
    store_lanes(to, at.channel, s.channels, false, mean);
    store_lanes(to + s.channels, at.channel, s.channels, false, squares);
  }
}

// Merges the moments of the slabs and channels of each (sample, group), a warp each (Chan, Golub and LeVeque 1983).
__global__ void __launch_bounds__(256) merge_moments_kernel(const float* moments, float* mean, float* rstd,
                                                            float* variance, NormShape shape, Slabs s, float eps) {
  Index const own = (Index{blockIdx.x} * blockDim.x + threadIdx.x) / warp_size, all = shape.samples * shape.groups;
  Index const item = own < all ? own : all - 1;
  Index const sample = quotient(item, shape.groups), wide = quotient(shape.channels, shape.groups);
  Index const first = (item - sample * shape.groups) * wide, parts = s.count * wide;
  float const count = static_cast<float>(shape.pixels * wide);
  const float* const own_moments = moments + sample * s.count * 2 * s.channels;
  float total = 0.0f;
  for (Index i = threadIdx.x % warp_size; i < parts; i += warp_size) {
    Index const slab = quotient(i, wide), rest = s.pixels - slab * s.size;
    float const pixels = static_cast<float>(rest < s.size ? rest : s.size);
    total = fmaf(own_moments[slab * 2 * s.channels + first + (i - slab * wide)], pixels / count, total);
  }
  float const centre = warp_sum(total);
  float squares = 0.0f;
  for (Index i = threadIdx.x % warp_size; i < parts; i += warp_size) {
    Index const slab = quotient(i, wide), rest = s.pixels - slab * s.size;
    const float* const from = own_moments + slab * 2 * s.channels + first + (i - slab * wide);
    float const pixels = static_cast<float>(rest < s.size ? rest : s.size), distance = from[0] - centre;
    squares += fmaf(pixels * distance, distance, from[s.channels]);
  }
  squares = warp_sum(squares) / count;
  if (own >= all || threadIdx.x % warp_size != 0) return;
  mean[item] = centre;
  rstd[item] = 1.0f / sqrtf(squares + eps);
  if (variance != nullptr) variance[item] = squares;
}

// From the sums over each sample, (2, samples, channels), the means over each group of weight g and of weight g xhat:
// (2, samples, groups). A warp a group.
__global__ void __launch_bounds__(256)
    group_gradients_kernel(const float* sums, const float* weight, float* means, NormShape shape) {
  Index const own = (Index{blockIdx.x} * blockDim.x + threadIdx.x) / warp_size, all = shape.samples * shape.groups;
  Index const item = own < all ? own : all - 1;
  Index const sample = quotient(item, shape.groups), wide = quotient(shape.channels, shape.groups);
  Index const first = (item - sample * shape.groups) * wide;
  const float* const from = sums + sample * shape.channels;
  float total = 0.0f, along = 0.0f;
  for (Index c = first + threadIdx.x % warp_size; c < first + wide; c += warp_size) {
    float const w = weight == nullptr ? 1.0f : weight[c];
    total = fmaf(w, from[c], total);
    along = fmaf(w, from[shape.samples * shape.channels + c], along);
  }
  float const count = static_cast<float>(shape.pixels * wide);
  total = warp_sum(total) / count;
  along = warp_sum(along) / count;
  if (own >= all || threadIdx.x % warp_size != 0) return;
  means[item] = total;
  means[all + item] = along;
}

}  // namespace stipple::cuda
