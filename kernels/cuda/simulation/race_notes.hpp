// What ThreadSanitizer is told of the executor: which barriers order memory, and that the executor's own data are none
// of its business, so that what it reports are races of the kernel. Nothing in other builds.
#pragma once

#include "fiber.hpp"

#if STIPPLE_FIBER_TSAN
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
extern "C" void AnnotateIgnoreReadsBegin(const char*, int);
extern "C" void AnnotateIgnoreReadsEnd(const char*, int);
extern "C" void AnnotateIgnoreWritesBegin(const char*, int);
extern "C" void AnnotateIgnoreWritesEnd(const char*, int);
#endif

namespace stipple::cuda::simulation {

#if STIPPLE_FIBER_TSAN
/// Accesses as long as it lives are not looked at.
struct Quiet {
  Quiet() {
    AnnotateIgnoreReadsBegin("", 0);
    AnnotateIgnoreWritesBegin("", 0);
  }
  ~Quiet() {
    AnnotateIgnoreWritesEnd("", 0);
    AnnotateIgnoreReadsEnd("", 0);
  }
};
inline void acquire(void* token) { __tsan_acquire(token); }
inline void release(void* token) { __tsan_release(token); }
#else
struct Quiet {
  Quiet() {}
};
inline void acquire(void*) {}
inline void release(void*) {}
#endif

}  // namespace stipple::cuda::simulation
