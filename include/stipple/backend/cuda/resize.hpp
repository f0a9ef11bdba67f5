// Resizing of images on a GPU.
#pragma once

#include <stipple/backend/resize_plan.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// For float and bf16.
template <class T>
void resize(Pointer<const T> x, Pointer<T> y, const ResizePlan& plan);
/// Gradient of the input, dx, from that of the output, dy. The plan is that of the forward pass.
template <class T>
void resize_backward(Pointer<const T> dy, Pointer<T> dx, const ResizePlan& plan);

}  // namespace stipple::cuda
