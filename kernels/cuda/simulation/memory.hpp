// Device memory of the simulation: every allocation ends at a closed page, and all of them are closed while no kernel
// runs and nothing is copied, so that the host cannot reach them by mistake. While something is done on one device, the
// memory of the others stays closed.
#pragma once

#include <cstddef>

namespace stipple::cuda::simulation {

/// The device of this thread.
int& selected();

/// Memory that each simulated device has.
std::size_t& memory_bytes();
std::size_t memory_in_use(int device = 0);

/// Of the selected device. Null when it has no more memory. Aligned to 16 bytes, filled with the pattern of the
/// options.
void* allocate(std::size_t bytes);
void deallocate(void* memory);
int device_of(void* memory);

/// The allocation that holds an address, of the device whose memory is open if there is one; size 0 if there is none.
struct Allocation {
  std::byte* begin = nullptr;
  std::size_t bytes = 0;
};
Allocation allocation_of(const void* address);
/// Throws Error, in the name of `operation`, unless one allocation holds all of the bytes.
void check_range(const char* operation, const void* begin, std::size_t bytes);
/// Throws Error, in the name of `operation`, if something wrote next to an allocation of the device whose memory is
/// open.
void check_borders(const char* operation);

/// Opens the memory of one device as long as it lives, instead of what was open before.
class OpenMemory {
 public:
  explicit OpenMemory(int device);
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;

 private:
  int before_;
};

}  // namespace stipple::cuda::simulation
