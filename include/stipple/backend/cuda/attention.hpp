// Scaled-dot-product attention on a GPU: tiled, so that no (queries, keys) array exists.
#pragma once

#include <stipple/backend/attention_shape.hpp>

namespace stipple::cuda {

/// y = softmax(scale q k^T) v for every sample and head. `statistics` (samples, heads, 2, queries) gets the largest
/// logit of each query and 1 / sum over the keys of exp(logit - largest). For float and bf16, as the following. Heads
/// of bf16 that are multiples of 8 and at most 128 wide, in rows at multiples of 16 bytes, take the tensor cores; all
/// others are multiplied in float.
template <class T>
void attention(AttentionRows<const T, Cuda> q, AttentionRows<const T, Cuda> k, AttentionRows<const T, Cuda> v,
               AttentionRows<T, Cuda> y, Pointer<float> statistics, const AttentionShape& shape);
/// Gradients, laid out as the operands; `dy` as `y`. The order of every sum depends on the shape alone.
template <class T>
void attention_backward(AttentionRows<const T, Cuda> q, AttentionRows<const T, Cuda> k, AttentionRows<const T, Cuda> v,
                        AttentionRows<const T, Cuda> y, Pointer<const T> dy, Pointer<const float> statistics,
                        Pointer<T> dq, Pointer<T> dk, Pointer<T> dv, const AttentionShape& shape);

}  // namespace stipple::cuda
