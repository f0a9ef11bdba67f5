// CUDA's libraries, loaded when the first of their functions is called: a program that links stipple::cuda starts, and
// runs on the CPU, on machines that have none of them.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace stipple::cuda::products {

/// A shared library, found where the system's loader finds what a program is linked to: in LD_LIBRARY_PATH, the run
/// path of the program, and the folders of the system. Loaded once, for as long as the program runs; threads share it.
class SharedLibrary {
 public:
  /// "libcudnn" and 9 for libcudnn.so.9; `product` is what to install. The library `before` is loaded first, where it
  /// is found, for one that loads it by itself, but looks for it in folders of its own.
  constexpr SharedLibrary(const char* stem, int version, const char* product, SharedLibrary* before = nullptr)
      : stem_(stem), version_(version), product_(product), before_(before) {}

  /// Address of a function. Throws Error where the library is not found or does not have it.
  void* find(const char* function);

 private:
  std::string file() const;
  // Null where it is not found; dlerror() then says why.
  void* load();

  const char* stem_;
  int version_;
  const char* product_;
  SharedLibrary* before_;
  std::mutex mutex_{};  // of what follows
  void* handle_ = nullptr;
};

/// A function of a shared library, called as if it were linked. Throws Error as SharedLibrary::find does.
template <class Function>
class Loaded;
template <class Result, class... Arguments>
class Loaded<Result(Arguments...)> {
 public:
  constexpr Loaded(SharedLibrary& library, const char* name) : library_(library), name_(name) {}
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  Result operator()(Arguments... arguments) const {
    void* address = address_.load(std::memory_order_acquire);
    if (address == nullptr) {
      address = library_.find(name_);
      address_.store(address, std::memory_order_release);
    }
    return reinterpret_cast<Result (*)(Arguments...)>(address)(arguments...);
  }

 private:
  SharedLibrary& library_;
  const char* name_;
  mutable std::atomic<void*> address_{nullptr};
};

}  // namespace stipple::cuda::products

/// A function of that library under its own name, which in this namespace hides the one that the header declares.
#define STIPPLE_LOADED(library, function) \
  inline constinit stipple::cuda::products::Loaded<decltype(::function)> function(library, #function);
