#include "pinned_slots.hpp"

#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include <stipple/core/error.hpp>

#include "driver.hpp"

namespace stipple::cuda {

namespace {

// Slots of one size that nobody holds, in the order in which they were given back. Copies of the last may still be
// under way.
class Slots {
 public:
  std::unique_ptr<PinnedSlot> take(std::size_t bytes) {
    std::lock_guard const lock(mutex_);
    if (free_.empty() || !driver::has_passed(free_.front()->copied.handle()))
      return std::make_unique<PinnedSlot>(bytes);
    auto slot = std::move(free_.front());
    free_.pop_front();
    return slot;
  }
  void give_back(std::unique_ptr<PinnedSlot> slot) {
    std::lock_guard const lock(mutex_);
    free_.push_back(std::move(slot));
  }

 private:
  std::mutex mutex_;
  std::deque<std::unique_ptr<PinnedSlot>> free_;
};

// Never destroyed, so numbers may outlive main.
Slots& slots_of(int device, std::size_t bytes) {
  static auto* const mutex = new std::mutex;
  static auto* const all = new std::map<std::pair<int, std::size_t>, Slots>;
  std::lock_guard const lock(*mutex);
  return (*all)[{device, bytes}];
}

}  // namespace

PinnedSlot::PinnedSlot(std::size_t bytes) : memory(driver::allocate_pinned(bytes)) {
  require(memory != nullptr, "cuda: wanted ", bytes, " bytes of pinned host memory, which the system does not give");
}
PinnedSlot::~PinnedSlot() { driver::deallocate_pinned(memory); }

std::shared_ptr<PinnedSlot> take_pinned_slot(std::size_t bytes) {
  auto& slots = slots_of(selected_device(), bytes);
  return {slots.take(bytes).release(),
          [&slots](PinnedSlot* used) { slots.give_back(std::unique_ptr<PinnedSlot>(used)); }};
}

}  // namespace stipple::cuda
