#pragma once

#include "graph.hpp"
#include "recorded_key.cuh"

namespace stipple::cuda {

/// A key as a kernel that is put into the current stream now takes it.
inline RecordedKey recorded(const DrawKey& key) { return {key, recorded_draws()}; }

}  // namespace stipple::cuda
