// Padding and cropping of images on a GPU.
#pragma once

#include <stipple/backend/pad_plan.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// For float and bf16.
template <class T>
void pad(Pointer<const T> x, Pointer<T> y, const PadPlan& plan, T value);

}  // namespace stipple::cuda
