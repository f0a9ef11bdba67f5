// Linear attention on a GPU.
#pragma once

#include <stipple/backend/linear_attention_shape.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// y (samples, positions, heads dim) from qkv (samples, positions, 3 heads dim). Saves `context` (samples, heads, dim,
/// dim) and `statistics` (samples, heads, 2, dim): the largest k of each channel over the positions, and 1 / sum of
/// exp(k - largest). The order of every sum depends on positions and dim alone. For float and bf16, as the following.
template <class T>
void linear_attention(Pointer<const T> qkv, Pointer<T> y, Pointer<float> context, Pointer<float> statistics,
                      const LinearAttentionShape& shape);
/// Gradient of qkv.
template <class T>
void linear_attention_backward(Pointer<const T> dy, Pointer<const T> qkv, Pointer<const float> context,
                               Pointer<const float> statistics, Pointer<T> dqkv, const LinearAttentionShape& shape);

}  // namespace stipple::cuda
