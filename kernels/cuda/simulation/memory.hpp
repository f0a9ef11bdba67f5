// Device memory of the simulation: every allocation ends at a closed page, and all of them are closed while no kernel
// runs and nothing is copied, so that the host cannot reach them by mistake.
#pragma once

#include <cstddef>

namespace stipple::cuda::simulation {

/// Memory that the simulated device has.
std::size_t& memory_bytes();
std::size_t memory_in_use();

/// Null when the device has no more memory. Aligned to 16 bytes, filled with the pattern of the options.
void* allocate(std::size_t bytes);
void deallocate(void* memory);

/// The allocation that holds an address; size 0 if there is none.
struct Allocation {
  std::byte* begin = nullptr;
  std::size_t bytes = 0;
};
Allocation allocation_of(const void* address);
/// Throws Error, in the name of `operation`, unless one allocation holds all of the bytes.
void check_range(const char* operation, const void* begin, std::size_t bytes);
/// Throws Error, in the name of `operation`, if something wrote next to an allocation.
void check_borders(const char* operation);

/// Opens device memory as long as it lives.
class OpenMemory {
 public:
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

}  // namespace stipple::cuda::simulation
