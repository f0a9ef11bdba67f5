#include "fiber.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <stipple/core/error.hpp>

#if STIPPLE_FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#elif STIPPLE_FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace stipple::cuda::simulation {

namespace {
Fiber* entering = nullptr;  // the fiber that `enter`, which takes no argument, is to run

// The page below a stack stays closed: a stack that grows too large ends in a fault, not in other data.
std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
}  // namespace

Fiber::Fiber(void (*body)(void*), void* argument) : body_(body), argument_(argument) {
  void* const base = mmap(nullptr, stack_bytes + page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(base != MAP_FAILED, "fiber: the system refused ", std::size_t{stack_bytes}, " bytes for a stack");
  stack_ = static_cast<std::byte*>(base) + page();
  mprotect(stack_, stack_bytes, PROT_READ | PROT_WRITE);
#if STIPPLE_FIBER_TSAN
  sanitizer_fiber_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if STIPPLE_FIBER_TSAN
  __tsan_destroy_fiber(sanitizer_fiber_);
#endif
  munmap(stack_ - page(), stack_bytes + page());
}

void Fiber::start() {
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_;
  inside_.uc_stack.ss_size = stack_bytes;
  inside_.uc_link = nullptr;
  makecontext(&inside_, &Fiber::enter, 0);
  started_ = true;
  entering = this;
}

void Fiber::enter() {
  Fiber* const self = entering;
#if STIPPLE_FIBER_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->outside_stack_, &self->outside_stack_bytes_);
#endif
  for (;;) {
    self->body_(self->argument_);
    self->give_way();
  }
}

#if STIPPLE_FIBER_ASAN || STIPPLE_FIBER_TSAN

void Fiber::resume() {
  if (!started_) start();
#if STIPPLE_FIBER_ASAN
  __sanitizer_start_switch_fiber(&sanitizer_outside_, stack_, stack_bytes);
  swapcontext(&outside_, &inside_);
  __sanitizer_finish_switch_fiber(sanitizer_outside_, nullptr, nullptr);
#else
  sanitizer_outside_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(sanitizer_fiber_, __tsan_switch_to_fiber_no_sync);
  swapcontext(&outside_, &inside_);
#endif
}

void Fiber::give_way() {
#if STIPPLE_FIBER_ASAN
  __sanitizer_start_switch_fiber(&sanitizer_fiber_, outside_stack_, outside_stack_bytes_);
  swapcontext(&inside_, &outside_);
  __sanitizer_finish_switch_fiber(sanitizer_fiber_, &outside_stack_, &outside_stack_bytes_);
#else
  __tsan_switch_to_fiber(sanitizer_outside_, __tsan_switch_to_fiber_no_sync);
  swapcontext(&inside_, &outside_);
#endif
}

void Fiber::abandon() { _exit(1); }

#else  // only the first entry goes through setcontext, which makes a system call; the others are jumps

void Fiber::resume() {
  if (_setjmp(outside_place_) != 0) return;
  if (started_) _longjmp(inside_place_, 1);
  start();
  setcontext(&inside_);
}

void Fiber::give_way() {
  if (_setjmp(inside_place_) == 0) _longjmp(outside_place_, 1);
}

void Fiber::abandon() { _longjmp(outside_place_, 1); }

#endif

}  // namespace stipple::cuda::simulation
