// What a tensor asks of the memory of its device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <stipple/core/context.hpp>
#include <stipple/tensor/cuda_memory.hpp>

namespace stipple {

template <>
struct Memory<Cpu> {
  static void* allocate(std::size_t bytes) { return Context::instance().allocator.allocate(bytes); }
  static int selected_device() { return 0; }
  static void deallocate(void* memory, std::size_t bytes, int) noexcept {
    Context::instance().allocator.deallocate(memory, bytes);
  }
  /// The ranges may overlap.
  static void copy(void* to, const void* from, std::size_t bytes) { std::memmove(to, from, bytes); }
  static void copy_from_host(void* to, const void* from, std::size_t bytes) { std::memmove(to, from, bytes); }
  static void copy_to_host(void* to, const void* from, std::size_t bytes) { std::memmove(to, from, bytes); }
  template <class T>
  static void fill(T* to, T value, std::size_t n) {
    std::fill_n(to, n, value);
  }
};

}  // namespace stipple
