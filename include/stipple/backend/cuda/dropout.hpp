// Dropout on a GPU.
#pragma once

#include <stipple/backend/dropout_plan.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// y = x masked and scaled; `samples` rows of `size` elements. The masks are those of the CPU. For float and bf16.
template <class T>
void dropout(Pointer<const T> x, Pointer<T> y, Index samples, Index size, const DropoutPlan& plan);

}  // namespace stipple::cuda
