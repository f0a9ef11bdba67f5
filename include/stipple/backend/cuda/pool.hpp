// Pooling on a GPU.
#pragma once

#include <stipple/backend/pool_plan.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// y = the mean of each window: of all its pixels, those outside of the image being zero, or of those inside alone. For
/// float and bf16, as the following.
template <class T>
void avg_pool(Pointer<const T> x, Pointer<T> y, const PoolPlan& plan, bool counts_padding);
template <class T>
void avg_pool_backward(Pointer<const T> dy, Pointer<T> dx, const PoolPlan& plan, bool counts_padding);

/// y = the largest of each window; a NaN counts as the largest.
template <class T>
void max_pool(Pointer<const T> x, Pointer<T> y, const PoolPlan& plan);
/// dx from dy: each window hands its gradient to the first of its pixels, in rows, that equals its maximum y.
template <class T>
void max_pool_backward(Pointer<const T> dy, Pointer<const T> x, Pointer<const T> y, Pointer<T> dx,
                       const PoolPlan& plan);

/// y (n, channels) = the mean over the pixels of x (n, pixels, channels).
template <class T>
void global_avg_pool(Pointer<const T> x, Pointer<T> y, Index n, Index pixels, Index channels);
template <class T>
void global_avg_pool_backward(Pointer<const T> dy, Pointer<T> dx, Index n, Index pixels, Index channels);

}  // namespace stipple::cuda
