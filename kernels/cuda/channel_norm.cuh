// What group and batch normalisation share: normalising with given statistics, and its gradient.
#pragma once

#include <stipple/backend/norm_shape.hpp>

#include "activation_functors.cuh"
#include "columns.cuh"

namespace stipple::cuda {

// Channel k of a thread, or the last where there is none.
__device__ __forceinline__ Index own_channel(const Columns& at, int k, const NormShape& shape) {
  return at.channel + k < shape.channels ? at.channel + k : shape.channels - 1;
}
// Place of a channel's group among those of all samples.
__device__ __forceinline__ Index group_of(Index sample, Index channel, const NormShape& shape) {
  auto const wide = static_cast<unsigned>(shape.channels) / static_cast<unsigned>(shape.groups);  // 32 bits do
  return sample * shape.groups + static_cast<unsigned>(channel) / wide;
}

// What normalises a thread's channels: z = (x - mean) scale + bias, with scale = rstd weight.
template <int lanes>
struct ChannelNorm {
  float mean[lanes], scale[lanes], bias[lanes];

  __device__ __forceinline__ ChannelNorm(const float* means, const float* rstds, const float* weights,
                                         const float* biases, const NormShape& shape, const Columns& at) {
#pragma unroll
    for (int k = 0; k < lanes; ++k) {
      Index const c = own_channel(at, k, shape), group = group_of(at.sample, c, shape);
      mean[k] = means[group];
      scale[k] = weights == nullptr ? rstds[group] : rstds[group] * weights[c];
      bias[k] = biases == nullptr ? 0.0f : biases[c];
    }
  }
  __device__ __forceinline__ float operator()(float x, int k) const { return fmaf(x - mean[k], scale[k], bias[k]); }
};

// y = f(z)
template <class T, class F>
__global__ void __launch_bounds__(256)
    normalise_kernel(const T* x, const float* weight, const float* bias, const float* mean, const float* rstd, T* y,
                     NormShape shape, Slabs s, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  Columns const at = Columns::of_thread<lanes>(s);
  if (!at.inside) return;
  ChannelNorm<lanes> const norm(mean, rstd, weight, bias, shape, at);
  for (Index p = at.pixel; p < at.end; p += blockDim.y) {
    Index const row = (at.sample * s.pixels + p) * s.channels;
    float v[lanes];
    load_lanes(x + row, at.channel, s.channels, aligned, v);
#pragma unroll
    for (int k = 0; k < lanes; ++k) v[k] = F::value(norm(v[k], k));
    store_lanes(y + row, at.channel, s.channels, aligned, v);
  }
}

// With g = dy f'(z) and xhat = (x - mean) rstd, the sums of g and of g xhat over a slab: (2, samples, slabs, channels).
template <class T, class F>
__global__ void __launch_bounds__(256, 2)
    slab_gradients_kernel(const T* dy, const T* x, const float* weight, const float* bias, const float* mean,
                          const float* rstd, float* sums, NormShape shape, Slabs s, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  STIPPLE_SHARED(float, scratch, column_threads* lanes);
  Columns const at = Columns::of_thread<lanes>(s);
  float total[lanes] = {}, along[lanes] = {};
  if (at.inside) {
    ChannelNorm<lanes> const norm(mean, rstd, weight, bias, shape, at);
    for (Index p = at.pixel; p < at.end; p += blockDim.y) {
      Index const row = (at.sample * s.pixels + p) * s.channels;
      float v[lanes], g[lanes];
      load_lanes(x + row, at.channel, s.channels, aligned, v);
      load_lanes(dy + row, at.channel, s.channels, aligned, g);
#pragma unroll
      for (int k = 0; k < lanes; ++k) {
        g[k] *= F::derivative(norm(v[k], k));
        total[k] += g[k];
        along[k] = fmaf(g[k], v[k] - norm.mean[k], along[k]);
      }
    }
#pragma unroll
    for (int k = 0; k < lanes; ++k) along[k] *= rstd[group_of(at.sample, own_channel(at, k, shape), shape)];
  }
  sum_over_pixels(total, scratch);
  sum_over_pixels(along, scratch);
  if (threadIdx.y == 0 && at.inside) {
    float* const to = sums + (at.sample * s.count + at.slab) * s.channels;
    store_lanes(to, at.channel, s.channels, false, total);
    store_lanes(to + s.samples * s.count * s.channels, at.channel, s.channels, false, along);
  }
}

// dx = rstd (weight g - mean(weight g) - xhat mean(weight g xhat)), means over the group: (2, samples, groups). Null
// means are zeros: the statistics are constants.
template <class T, class F>
__global__ void __launch_bounds__(256, 2)
    input_gradient_kernel(const T* dy, const T* x, const float* weight, const float* bias, const float* mean,
                          const float* rstd, const float* means, T* dx, NormShape shape, Slabs s, bool aligned) {
  constexpr int lanes = lanes_of<T>;
  Columns const at = Columns::of_thread<lanes>(s);
  if (!at.inside) return;
  ChannelNorm<lanes> const norm(mean, rstd, weight, bias, shape, at);
  float total[lanes], along[lanes];  // times rstd, and rstd^2
#pragma unroll
  for (int k = 0; k < lanes; ++k) {
    Index const group = group_of(at.sample, own_channel(at, k, shape), shape);
    total[k] = means == nullptr ? 0.0f : rstd[group] * means[group];
    along[k] = means == nullptr ? 0.0f : rstd[group] * rstd[group] * means[shape.samples * shape.groups + group];
  }
  for (Index p = at.pixel; p < at.end; p += blockDim.y) {
    Index const row = (at.sample * s.pixels + p) * s.channels;
    float v[lanes], g[lanes];
    load_lanes(x + row, at.channel, s.channels, aligned, v);
    load_lanes(dy + row, at.channel, s.channels, aligned, g);
#pragma unroll
    for (int k = 0; k < lanes; ++k) {
      float const direct = norm.scale[k] * g[k] * F::derivative(norm(v[k], k));
      g[k] = direct - fmaf(v[k] - norm.mean[k], along[k], total[k]);
    }
    store_lanes(dx + row, at.channel, s.channels, aligned, g);
  }
}

}  // namespace stipple::cuda
