// Memory of a GPU, as a tensor asks for it. Defined by the library stipple::cuda.
#pragma once

#include <cstddef>
#include <functional>

#include <stipple/core/device.hpp>

namespace stipple {

template <Device D>
struct Memory;

/// Works in the current stream (backend/cuda/runtime.hpp).
template <>
struct Memory<Cuda> {
  /// Throws Error when the device has no more memory, or when there is none.
  static void* allocate(std::size_t bytes);
  /// Number of the device that memory is taken from.
  static int selected_device();
  /// Gives back memory of this device. What other streams than the one it was taken in hold is only waited for if that
  /// device is selected.
  static void deallocate(void* memory, std::size_t bytes, int device) noexcept;
  /// Throws Error if the ranges overlap.
  static void copy(void* to, const void* from, std::size_t bytes);
  /// The host may change its memory at once. Does not wait, for more than 16 KB at the driver's discretion.
  static void copy_from_host(void* to, const void* from, std::size_t bytes);
  /// Waits for the stream. Throws Error for what went wrong in it.
  static void copy_to_host(void* to, const void* from, std::size_t bytes);
  /// The same for at most 8 bytes, without waiting: the result, called with their place on the host, waits for this
  /// copy and not for what is put into the stream after it.
  static std::function<void(void*)> copy_to_host_later(const void* from, std::size_t bytes);
  template <class T>
  static void fill(T* to, T value, std::size_t n) {
    fill_bytes(to, &value, sizeof(T), n);
  }

 private:
  static void fill_bytes(void* to, const void* value, std::size_t value_bytes, std::size_t n);
};

}  // namespace stipple
