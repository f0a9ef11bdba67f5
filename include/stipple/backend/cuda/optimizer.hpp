// The optimisers on a GPU: updates of a whole parameter arena in one pass, and the norm of a gradient.
#pragma once

#include <stipple/backend/optimizer_update.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// For float. The settings are read on the device, so that a recorded update is done with those of each replay.
template <class C>
void adam_update(Pointer<const AdamUpdate<C>> update, const OptimizerArrays<C, Cuda>& arrays, Index n);
template <class C>
void sgd_update(Pointer<const SgdUpdate<C>> update, const OptimizerArrays<C, Cuda>& arrays, Index n);
/// Infinite or NaN if an element is; never otherwise. Waits for the device.
double sum_of_squares(Pointer<const float> x, Index n);
/// out[0] = the Euclidean norm of x, out[1] = its clip_factor.
void clip_norm(Pointer<const float> x, Index n, double max_norm, Pointer<double> out);
void scale_in_place(Pointer<float> x, float factor, Index n);

}  // namespace stipple::cuda
