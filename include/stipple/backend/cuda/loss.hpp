// Losses on a GPU: elementwise ones of a prediction and a target, and cross entropy of logits and labels.
#pragma once

#include <cstdint>

#include <stipple/backend/loss_kind.hpp>
#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// out[0] = weight times the sum of f(x - y) over n elements. For T and U: float and float, bf16 and bf16, bf16 and
/// float.
template <class T, class U>
void loss_sum(LossKind kind, float parameter, Pointer<const T> x, Pointer<const U> y, double weight, Pointer<float> out,
              Index n);
/// out[i] = f(x[i] - y[i])
template <class T, class U>
void loss_values(LossKind kind, float parameter, Pointer<const T> x, Pointer<const U> y, Pointer<float> out, Index n);
/// dx[i] = g f'(x[i] - y[i]), with g = scale dy[i], or scale dy[0] where dy is `common` to all. O is T or float.
template <class T, class U, class O>
void loss_backward(LossKind kind, float parameter, Pointer<const T> x, Pointer<const U> y, Pointer<const float> dy,
                   bool common, float scale, Pointer<O> dx, Index n);

/// Cross entropy: losses[i] = -sum over c of q[c] log softmax(x[i])[c], where q is 1 - smoothing at the label plus
/// smoothing / classes everywhere. `normalisers` are log sum exp of each row. A label that is no class makes NaN.
template <class T>
void cross_entropy(Pointer<const T> x, Pointer<const std::int32_t> labels, float smoothing, Pointer<float> losses,
                   Pointer<float> normalisers, Index rows, Index classes);
/// dx = g (softmax(x) - q), with g as in loss_backward, one a row.
template <class T>
void cross_entropy_backward(Pointer<const T> x, Pointer<const std::int32_t> labels, float smoothing,
                            Pointer<const float> normalisers, Pointer<const float> dy, bool common, float scale,
                            Pointer<T> dx, Index rows, Index classes);

}  // namespace stipple::cuda
