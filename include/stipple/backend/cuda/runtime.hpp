// The CUDA runtime as the library uses it: devices, streams, events, memory. Defined by the library stipple::cuda; no
// CUDA header is needed to use it. Everything works on the selected device and in the current stream of the thread.
#pragma once

#include <cstddef>
#include <string>

#include <stipple/core/memory_report.hpp>

namespace stipple::cuda {

struct DeviceDescription {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  std::size_t total_bytes = 0, free_bytes = 0;
};

/// Empty if a device can be used; otherwise a sentence that says what is missing.
std::string why_unavailable();
/// Number of devices; 0 if none can be used.
int device_count();
/// Throws Error unless 0 <= device < device_count().
DeviceDescription describe_device(int device);
/// The device of this thread, 0 at first.
int selected_device();
/// Throws Error unless 0 <= device < device_count(), and in a recording. The current stream becomes the default stream
/// of that device.
void select_device(int device);
/// Multiprocessors of the selected device.
int multiprocessors();

/// Moments in a stream of the device that is selected when it is made.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  /// Waits on the host until the moment that was recorded last has passed.
  void synchronize() const;
  int device() const { return device_; }
  void* handle() const { return handle_; }

 private:
  int device_;
  void* handle_;
};

/// A queue of work of the device that is selected when it is made. Work of different streams has no order but that of
/// events. It may end while another device is selected.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Marks the end of what the stream holds now. Throws Error for an event of another device.
  void record(Event& event) const;
  /// Work that is put into the stream from now on begins after the moment that was recorded last.
  void wait(const Event& event) const;
  /// Waits on the host for all work. Throws Error for what went wrong in it.
  void synchronize() const;
  int device() const { return device_; }
  void* handle() const { return handle_; }

 private:
  int device_;
  void* handle_;
};

/// Makes a stream the current one of this thread as long as it lives. Memory of a tensor is used again after the work
/// that the stream it was made in and the stream that is current at its end hold then: a tensor that a third stream
/// uses must live until that work is done.
class CurrentStream {
 public:
  /// Throws Error for a stream of another device than the selected one.
  explicit CurrentStream(const Stream& stream);
  ~CurrentStream();
  CurrentStream(const CurrentStream&) = delete;
  CurrentStream& operator=(const CurrentStream&) = delete;

 private:
  int device_;
  void* previous_;
};

/// Handle of the current stream; null for the default stream.
void* current_stream();
/// Waits on the host for all work of the selected device. Throws Error for what went wrong in it.
void synchronize();

/// In debug mode every operation is waited for, so that an error is thrown by the operation that caused it, with its
/// name. Off at first, unless the environment sets STIPPLE_CUDA_DEBUG to 1.
void set_debug(bool on);
bool debug();
/// What an operation does after it has put its work into the stream.
void after_launch(const char* operation);

/// Memory of the selected device: in live tensors, the most there was of them, and taken from the device. For tools
/// that check accesses, the environment can set STIPPLE_CUDA_EXACT_MEMORY to 1: every tensor is then an allocation of
/// the device's own, which is given back with it.
MemoryReport memory_report();
void reset_peak_memory();
/// Gives memory that no tensor uses back to the device. Waits for the device.
void release_cached_memory();

}  // namespace stipple::cuda
