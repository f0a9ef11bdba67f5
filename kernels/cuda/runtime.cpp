#include <stipple/backend/cuda/runtime.hpp>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <string_view>

#include <stipple/core/error.hpp>
#include <stipple/tensor/cuda_memory.hpp>

#include "capability.hpp"
#include "driver.hpp"
#include "fill.hpp"
#include "graph.hpp"
#include "memory_pool.hpp"
#include "pinned_slots.hpp"

namespace stipple::cuda {

namespace {

struct PerDevice {
  Pool pool{driver::allocates_exactly()};
  int multiprocessors = 0;
  std::string unsupported{};  // a sentence, or empty
};

// What threads share. Never destroyed, so tensors with static lifetime may outlive main.
struct Runtime {
  std::mutex mutex;
  std::deque<PerDevice> devices;
  bool debug = [] {
    const char* const wanted = std::getenv("STIPPLE_CUDA_DEBUG");
    return wanted != nullptr && std::string_view(wanted) == "1";
  }();
};
Runtime& runtime() {
  static auto* const one = new Runtime;
  return *one;
}

thread_local int thread_device = 0;
thread_local void* thread_stream = nullptr;

// Those that the driver has; none if it says what is missing.
std::deque<PerDevice>& devices() {
  Runtime& r = runtime();
  std::lock_guard const lock(r.mutex);
  if (r.devices.empty() && driver::why_unavailable().empty()) {
    int const count = driver::device_count();
    for (int i = 0; i < count; ++i) {
      auto const description = driver::describe(i);
      auto& added = r.devices.emplace_back();
      added.multiprocessors = description.multiprocessors;
      added.unsupported = why_unsupported(i, description);
    }
  }
  return r.devices;
}

PerDevice& per_device(int number = thread_device) {
  if (devices().empty()) throw Error(driver::why_unavailable());
  auto& wanted = devices()[static_cast<std::size_t>(number)];
  if (!wanted.unsupported.empty()) throw Error(wanted.unsupported);
  return wanted;
}

void check_device(const char* name, int number) {
  int const count = device_count();
  if (count == 0) throw Error(why_unavailable());
  require(number >= 0 && number < count, name, ": given device ", number, ", wanted one of ", count);
}

}  // namespace

Pool& device_pool() { return per_device().pool; }

std::string why_unavailable() {
  for (auto const& device : devices())
    if (device.unsupported.empty()) return {};
  return devices().empty() ? driver::why_unavailable() : devices().front().unsupported;
}
int device_count() { return why_unavailable().empty() ? driver::device_count() : 0; }

DeviceDescription describe_device(int number) {
  check_device("describe_device", number);
  auto description = driver::describe(number);
  description.free_bytes = driver::free_bytes(number);
  return description;
}

int selected_device() { return thread_device; }

void select_device(int number) {
  check_device("select_device", number);
  refuse_to_record("the choice of a device");
  driver::select_device(number);
  thread_device = number;
  thread_stream = nullptr;
}

int multiprocessors() { return per_device().multiprocessors; }

Event::Event() : device_(thread_device), handle_((per_device(device_), driver::create_event())) {}
Event::~Event() { driver::destroy_event(handle_); }
void Event::synchronize() const { driver::synchronize_event(handle_); }

Stream::Stream() : device_(thread_device), handle_((per_device(device_), driver::create_stream())) {}
Stream::~Stream() {
  try {
    driver::synchronize(handle_);
  } catch (const Error&) {  // a destructor has nobody to tell
  }
  per_device(device_).pool.retire(handle_);
  driver::destroy_stream(handle_);
}
void Stream::record(Event& event) const {
  require(event.device() == device_, "stream: given an event of device ", event.device(), " in a stream of device ",
          device_);
  driver::record(event.handle(), handle_);
}
void Stream::wait(const Event& event) const { driver::wait(handle_, event.handle()); }
void Stream::synchronize() const { driver::synchronize(handle_); }

CurrentStream::CurrentStream(const Stream& stream) : device_(thread_device), previous_(thread_stream) {
  require(stream.device() == thread_device, "stream: given one of device ", stream.device(), " while device ",
          thread_device, " is selected");
  thread_stream = stream.handle();
}
CurrentStream::~CurrentStream() {
  if (device_ == thread_device) thread_stream = previous_;  // it is a stream of that device
}

void* current_stream() { return thread_stream; }
void synchronize() {
  per_device();
  refuse_to_record("the host waits for the device");
  driver::synchronize_device();
}

void set_debug(bool on) { runtime().debug = on; }
bool debug() { return runtime().debug; }

void after_launch(const char* operation) {
  if (!debug() || recording()) return;
  try {
    driver::synchronize(thread_stream);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(operation)) throw;
    fail(operation, ": ", error.what());
  }
}

MemoryReport memory_report() { return per_device().pool.report(); }
void reset_peak_memory() { per_device().pool.reset_peak(); }
void release_cached_memory() { per_device().pool.release_unused(); }

}  // namespace stipple::cuda

namespace stipple {

void* Memory<Cuda>::allocate(std::size_t bytes) {
  return cuda::per_device().pool.allocate(bytes, cuda::current_stream());
}

int Memory<Cuda>::selected_device() { return cuda::selected_device(); }

void Memory<Cuda>::deallocate(void* memory, std::size_t, int device) noexcept {
  if (device == cuda::selected_device()) {
    cuda::per_device().pool.deallocate(memory, cuda::current_stream());
    return;
  }
  try {
    cuda::driver::OnDevice const there(device, cuda::selected_device());
    cuda::per_device(device).pool.deallocate(memory);
  } catch (const Error&) {  // the device is lost, and its memory with it
  }
}

void Memory<Cuda>::copy(void* to, const void* from, std::size_t bytes) {
  auto const* const begin = static_cast<const std::byte*>(from);
  auto* const target = static_cast<std::byte*>(to);
  if (bytes == 0 || begin == target) return;
  require(target + bytes <= begin || begin + bytes <= target, "copy: given overlapping ranges of device memory");
  cuda::driver::copy("copy", to, from, bytes, cuda::current_stream());
  cuda::after_launch("copy");
}

void Memory<Cuda>::copy_from_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  cuda::refuse_to_record("a copy from the host reads memory that may be gone when it is replayed");
  if (bytes <= cuda::settings_slot) {
    auto const slot = cuda::take_pinned_slot(cuda::settings_slot);
    std::memcpy(slot->memory, from, bytes);
    cuda::driver::copy_from_pinned(to, slot->memory, bytes, cuda::current_stream());
    cuda::driver::record(slot->copied.handle(), cuda::current_stream());
  } else {
    cuda::driver::copy_from_host(to, from, bytes, cuda::current_stream());
  }
  cuda::after_launch("copy to the device");
}

void Memory<Cuda>::copy_to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  cuda::refuse_to_record("a value that the host reads waits for the device");
  cuda::driver::copy_to_host(to, from, bytes, cuda::current_stream());
  cuda::driver::synchronize(cuda::current_stream());
}

std::function<void(void*)> Memory<Cuda>::copy_to_host_later(const void* from, std::size_t bytes) {
  require(bytes <= cuda::number_slot, "copy_to_host_later: given ", bytes, " bytes, wanted at most ",
          cuda::number_slot);
  cuda::refuse_to_record("a value that the host reads is not part of it");
  auto const slot = cuda::take_pinned_slot(cuda::number_slot);
  cuda::driver::copy_to_pinned(slot->memory, from, bytes, cuda::current_stream());
  cuda::driver::record(slot->copied.handle(), cuda::current_stream());
  cuda::after_launch("copy to the host");
  return [slot, bytes](void* to) {
    slot->copied.synchronize();
    std::memcpy(to, slot->memory, bytes);
  };
}

void Memory<Cuda>::fill_bytes(void* to, const void* value, std::size_t value_bytes, std::size_t n) {
  if (n > 0) cuda::fill(to, value, value_bytes, n);
}

}  // namespace stipple
