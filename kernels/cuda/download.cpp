// Numbers on their way to the host.
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>
#include <stipple/tensor/cuda_memory.hpp>

#include "driver.hpp"
#include "graph.hpp"

namespace stipple::cuda {

namespace {

constexpr std::size_t slot_bytes = 8;

// Pinned memory for a number, and the moment at which the number is there.
struct Slot {
  void* memory = driver::allocate_pinned(slot_bytes);
  Event copied;

  Slot() {
    require(memory != nullptr, "cuda: the system gives no more pinned host memory, wanted ", slot_bytes, " bytes");
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() { driver::deallocate_pinned(memory); }
};

// Slots that no one reads. Some may still be written to, when a number was asked for by nobody.
class Slots {
 public:
  std::unique_ptr<Slot> take() {
    std::lock_guard const lock(mutex_);
    for (auto& slot : free_) {
      if (!driver::has_passed(slot->copied.handle())) continue;
      std::swap(slot, free_.back());
      auto taken = std::move(free_.back());
      free_.pop_back();
      return taken;
    }
    return std::make_unique<Slot>();
  }
  void give_back(std::unique_ptr<Slot> slot) {
    std::lock_guard const lock(mutex_);
    free_.push_back(std::move(slot));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slot>> free_;
};

// Never destroyed, so numbers may outlive main.
Slots& slots_of(int device) {
  static auto* const mutex = new std::mutex;
  static auto* const all = new std::map<int, Slots>;
  std::lock_guard const lock(*mutex);
  return (*all)[device];
}

}  // namespace

}  // namespace stipple::cuda

namespace stipple {

std::function<void(void*)> Memory<Cuda>::copy_to_host_later(const void* from, std::size_t bytes) {
  require(bytes <= cuda::slot_bytes, "copy_to_host_later: given ", bytes, " bytes, wanted at most ", cuda::slot_bytes);
  cuda::refuse_to_record("a value that the host reads is not part of it");
  auto& slots = cuda::slots_of(selected_device());
  std::shared_ptr<cuda::Slot> const slot(
      slots.take().release(), [&slots](cuda::Slot* used) { slots.give_back(std::unique_ptr<cuda::Slot>(used)); });
  cuda::driver::copy_to_pinned(slot->memory, from, bytes, cuda::current_stream());
  cuda::driver::record(slot->copied.handle(), cuda::current_stream());
  cuda::after_launch("copy to the host");
  return [slot, bytes](void* to) {
    slot->copied.synchronize();
    std::memcpy(to, slot->memory, bytes);
  };
}

}  // namespace stipple
