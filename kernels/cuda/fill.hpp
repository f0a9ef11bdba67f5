#pragma once

#include <cstddef>

namespace stipple::cuda {

/// Writes n copies of a value of 1, 2, 4 or 8 bytes, which the host holds.
void fill(void* to, const void* value, std::size_t value_bytes, std::size_t n);

}  // namespace stipple::cuda
