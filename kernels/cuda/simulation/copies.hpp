// Copies to shared memory that go on beside the work of a thread, in the simulation: they are done as late as they may
// be, when the thread waits for them. Until then their place holds the pattern of fresh memory.
#pragma once

#include <cstddef>
#include <vector>

namespace stipple::cuda::simulation {

/// The copies of one thread, in groups.
class Copies {
 public:
  /// 16 bytes, of the memory of the device to that of the block; zeros from null.
  void begin(void* to, const void* from);
  void end_group();
  /// Does the copies of all groups that have ended but the last `pending`.
  void wait(std::size_t pending);
  /// Fails where copies were not waited for: they would go on in shared memory that is used for something else.
  void check_done() const;
  /// A thread that begins has none.
  void forget();

 private:
  struct Copy {
    void* to;
    const void* from;
    std::size_t group;
  };
  std::vector<Copy> copies_;  // in the order of their groups
  std::size_t groups_ = 0;    // that have ended
};

}  // namespace stipple::cuda::simulation
