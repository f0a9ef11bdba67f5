// Reductions on a GPU: the largest element, and the repetition that is the gradient of a sum. Sums themselves are
// `sum_broadcast` in arithmetic.hpp.
#pragma once

#include <stipple/backend/cuda/arithmetic.hpp>

namespace stipple::cuda {

/// The largest of n elements, n >= 1; NaN if there is one. Waits for the device. For float and bf16.
template <class T>
T max_all(Pointer<const T> x, Index n);
/// y[o, m, i] = scale g[o, i], the shape being outer x middle x inner.
template <class T>
void repeat(Pointer<const float> g, float scale, Pointer<T> y, Broadcast s);

}  // namespace stipple::cuda
