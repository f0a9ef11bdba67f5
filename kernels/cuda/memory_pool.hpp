// Caching allocator of one device. Memory that was freed is used again by later work of the same stream, without
// waiting: the order of the stream is what keeps them apart.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include <stipple/core/memory_report.hpp>

#include "driver.hpp"

namespace stipple::cuda {

/// Requests are cut best-fit from segments of the device and merged with their neighbours when they are freed.
/// Thread-safe.
class Pool {
 public:
  /// With `exact` every request is an allocation of the device's own.
  explicit Pool(bool exact) : exact_(exact) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Memory for work of `stream`. Throws Error when the device has no more, after giving back what no one uses.
  void* allocate(std::size_t bytes, driver::StreamHandle stream);
  /// `current` is the stream that used the memory last; the stream it was allocated for waits for that.
  void deallocate(void* memory, driver::StreamHandle current) noexcept;
  /// The same without work of another stream than that.
  void deallocate(void* memory) noexcept;
  /// Blocks of `stream`, which has done its work and ends, become the default stream's.
  void retire(driver::StreamHandle stream);
  /// Work of `stream` is recorded from now on: until it ends, its blocks are not given back to the device, because
  /// replays use them; until `end_recording`, blocks of other streams that are freed there are kept.
  void begin_recording(driver::StreamHandle stream);
  void end_recording(driver::StreamHandle stream);
  /// Gives segments that no one uses back to the device.
  void release_unused();

  MemoryReport report() const;
  void reset_peak();

 private:
  struct Block {
    std::size_t bytes;
    driver::StreamHandle stream;
    bool in_use;
    bool begins_segment;
  };
  using Blocks = std::map<std::byte*, Block>;

  static std::size_t rounded(std::size_t bytes);
  static std::size_t segment_bytes(std::size_t bytes);
  void* take_exactly(std::size_t bytes, driver::StreamHandle stream);
  void* take(std::size_t bytes, driver::StreamHandle stream);
  void* from_device(std::size_t bytes, std::size_t wanted);
  void insert_free(Blocks::iterator block);
  void erase_free(Blocks::iterator block);
  void release_segments();
  void free_block(Blocks::iterator block, driver::StreamHandle current) noexcept;
  bool merges_with_next(Blocks::iterator block);

  bool const exact_;
  mutable std::mutex mutex_;
  MemoryReport report_;
  Blocks blocks_;
  std::map<driver::StreamHandle, std::set<std::pair<std::size_t, std::byte*>>> free_;
  std::set<driver::StreamHandle> replayed_;                            // streams whose blocks belong to a recording
  std::map<driver::StreamHandle, std::vector<std::byte*>> postponed_;  // of recordings that go on: what they freed
};

/// The pool of the selected device. Throws Error when there is no device.
Pool& device_pool();

}  // namespace stipple::cuda
