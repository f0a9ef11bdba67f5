// What an allocator says of itself.
#pragma once

#include <cstddef>

namespace stipple {

/// Bytes the pool has handed out and holds.
struct MemoryReport {
  std::size_t in_use = 0;    ///< held by live tensors
  std::size_t peak = 0;      ///< largest in_use so far
  std::size_t reserved = 0;  ///< taken from the system
};

}  // namespace stipple
