// The seam under the runtime: what it asks of a device. Defined by driver.cu on the CUDA runtime, and by
// simulation/driver.cpp on host memory and queues.
#pragma once

#include <cstddef>
#include <string>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>

namespace stipple::cuda::driver {

using StreamHandle = void*;  // null: the default stream
using EventHandle = void*;
using GraphHandle = void*;

/// Empty if there is a device; otherwise a sentence that says what is missing.
std::string why_unavailable();
int device_count();
/// Without its free memory, for which the device would have to be used.
DeviceDescription describe(int device);
std::size_t free_bytes(int device);
/// Of this thread: what follows is done there, but for what a stream, event, graph or memory of another device is
/// given to.
void select_device(int device);

/// Selects a device as long as it lives, and then `next`.
class OnDevice {
 public:
  OnDevice(int device, int next) : next_(next) { select_device(device); }
  ~OnDevice() {
    try {
      select_device(next_);
    } catch (const Error&) {  // it was selected before: the driver is lost, which the next operation says
    }
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int next_;
};

/// True if every allocation should be one of the device's own, so that it is checked for itself.
bool allocates_exactly();
/// Null when the device has no more memory.
void* allocate(std::size_t bytes);
/// Waits for the device first.
void deallocate(void* memory) noexcept;
/// Gives memory back after what the stream holds now. For `allocates_exactly` alone.
void deallocate_in_order(void* memory, StreamHandle stream) noexcept;

StreamHandle create_stream();
void destroy_stream(StreamHandle stream) noexcept;
/// Throws Error for what went wrong in the stream since it was last asked.
void synchronize(StreamHandle stream);
void synchronize_device();

EventHandle create_event();
void destroy_event(EventHandle event) noexcept;
void record(EventHandle event, StreamHandle stream);
void wait(StreamHandle stream, EventHandle event);
void synchronize_event(EventHandle event);
/// False if `synchronize_event` would wait.
bool has_passed(EventHandle event);

// Copies in the order of a stream. Host memory may be changed when `copy_from_host` has returned; `copy_to_host` has
// written it after the stream was synchronised.
void copy(const char* operation, void* to, const void* from, std::size_t bytes, StreamHandle stream);
void copy_from_host(void* to, const void* from, std::size_t bytes, StreamHandle stream);
void copy_to_host(void* to, const void* from, std::size_t bytes, StreamHandle stream);

/// Host memory that the device reads by itself; null when the system gives no more.
void* allocate_pinned(std::size_t bytes);
void deallocate_pinned(void* memory) noexcept;
/// Copies from such memory, which may be changed when the stream has done it.
void copy_from_pinned(void* to, const void* from, std::size_t bytes, StreamHandle stream);
/// Copies to such memory, where the bytes are when the stream has done it.
void copy_to_pinned(void* to, const void* from, std::size_t bytes, StreamHandle stream);

/// What is put into the stream from now on is recorded instead of done, until one of the next two.
void begin_recording(StreamHandle stream);
GraphHandle end_recording(StreamHandle stream);
void abandon_recording(StreamHandle stream) noexcept;
void replay(GraphHandle graph, StreamHandle stream);
void destroy_graph(GraphHandle graph) noexcept;

}  // namespace stipple::cuda::driver
