// Device tags: where a tensor lives is part of its type.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace stipple {
namespace cuda {

/// An address in the memory of a GPU. It can be moved and handed to the functions of stipple::cuda, but the host cannot
/// read what it points to, so a kernel of the CPU does not accept it.
template <class T>
class Pointer {
 public:
  Pointer() = default;
  Pointer(std::nullptr_t) {}
  explicit Pointer(T* address) : address_(address) {}
  template <class U>
  requires std::same_as<const U, T> &&(!std::same_as<U, T>)Pointer(Pointer<U> other) : address_(other.address()) {}

  /// For kernels and copies.
  T* address() const { return address_; }
  explicit operator bool() const { return address_ != nullptr; }
  Pointer& operator+=(std::ptrdiff_t offset) {
    address_ += offset;
    return *this;
  }
  friend Pointer operator+(Pointer pointer, std::ptrdiff_t offset) { return pointer += offset; }
  friend bool operator==(Pointer, Pointer) = default;

 private:
  T* address_ = nullptr;
};

struct Operations {};

}  // namespace cuda

struct Cpu {
  static constexpr const char* name = "cpu";
  template <class T>
  using pointer = T*;
};

/// An NVIDIA GPU. Its operations are in the library stipple::cuda; the base lets them be found by what names the
/// device.
struct Cuda : cuda::Operations {
  static constexpr const char* name = "cuda";
  template <class T>
  using pointer = cuda::Pointer<T>;
};

template <class D>
concept Device = std::same_as<D, Cpu> || std::same_as<D, Cuda>;

/// The address behind a pointer of either device.
template <class T>
T* address_of(T* pointer) {
  return pointer;
}
template <class T>
T* address_of(cuda::Pointer<T> pointer) {
  return pointer.address();
}

}  // namespace stipple
