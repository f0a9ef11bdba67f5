// Sinusoidal embeddings on a GPU.
#pragma once

#include <stipple/backend/timestep_frequencies.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// y (n, dim): sines and cosines of t[i] times each frequency, sines first or cosines first; with an odd `dim` a zero
/// in the last column. For float and bf16.
template <class T>
void timestep_embedding(Pointer<const float> t, Pointer<T> y, Index n, Index dim, bool cosines_first,
                        const TimestepFrequencies& frequencies);

}  // namespace stipple::cuda
