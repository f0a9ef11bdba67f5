// What the runtime and kernels ask of a recording.
#pragma once

#include <cstdint>

#include <stipple/backend/cuda/graph.hpp>

namespace stipple::cuda {

/// Throws Error in the name of `what` while this thread records.
void refuse_to_record(const char* what);

/// Where kernels of this thread's recording find what to add to the number of a draw; null outside of one.
const std::uint32_t* recorded_draws();

}  // namespace stipple::cuda
