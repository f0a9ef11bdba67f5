// A function with a stack of its own, which runs until it gives way and goes on from there when it is resumed.
#pragma once

#include <ucontext.h>
#include <csetjmp>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define STIPPLE_FIBER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define STIPPLE_FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STIPPLE_FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define STIPPLE_FIBER_TSAN 1
#endif
#endif
#ifndef STIPPLE_FIBER_ASAN
#define STIPPLE_FIBER_ASAN 0
#endif
#ifndef STIPPLE_FIBER_TSAN
#define STIPPLE_FIBER_TSAN 0
#endif

namespace stipple::cuda::simulation {

class Fiber {
 public:
  /// `body` is called again and again, with `argument`; after each call the fiber gives way.
  Fiber(void (*body)(void*), void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the fiber until it gives way.
  void resume();
  /// From within the fiber: returns to `resume`.
  void give_way();
  /// Forgets where the fiber was: the next `resume` calls the body anew. Nothing on its stack is destroyed.
  void restart() { started_ = false; }
  /// Leaves the fiber for good from a signal handler that interrupted it; `resume` returns.
  [[noreturn]] void abandon();

  /// True if `abandon` works in this build: under the sanitizers a fault ends the process with their report.
  static constexpr bool can_abandon = !STIPPLE_FIBER_ASAN && !STIPPLE_FIBER_TSAN;

 private:
  static void enter();
  void start();

  static constexpr std::size_t stack_bytes = 128 * 1024;

  void (*body_)(void*);
  void* argument_;
  std::byte* stack_;
  bool started_ = false;
  ucontext_t inside_{}, outside_{};
  jmp_buf inside_place_{}, outside_place_{};
  void* sanitizer_fiber_ = nullptr;    // ThreadSanitizer's name of the fiber, or AddressSanitizer's fake stack
  void* sanitizer_outside_ = nullptr;  // the same of the caller of resume
  const void* outside_stack_ = nullptr;
  std::size_t outside_stack_bytes_ = 0;
};

}  // namespace stipple::cuda::simulation
