// What all tensors and kernels share: allocator, threads, instruction set. One default instance a process.
#pragma once

#include <stipple/core/allocator.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/core/isa.hpp>
#include <stipple/core/thread_pool.hpp>

namespace stipple {

class Context {
 public:
  /// The process-wide default. It is never destroyed, so tensors with static lifetime may outlive main.
  static Context& instance();

  Allocator allocator;
  ThreadPool threads;
  Isa isa = detect_isa();    ///< best this processor has, or what STIPPLE_ISA names
  bool emulate_amx = false;  ///< products that AMX would do are done by its twin in plain code: for tests
};

/// Calls f(begin, end) for consecutive pieces of [0, n) of at most `grain` indices, on all threads of the context.
template <class F>
void parallel_for(Index n, Index grain, const F& f) {
  Context::instance().threads.run(n, grain, f);
}

STIPPLE_INLINE void set_num_threads(int threads);
STIPPLE_INLINE int num_threads();

}  // namespace stipple

#if STIPPLE_DEFINES(core) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_INLINE Context& Context::instance() {
  static Context* const context = new Context;
  return *context;
}

STIPPLE_INLINE void set_num_threads(int threads) { Context::instance().threads.resize(threads); }

STIPPLE_INLINE int num_threads() { return Context::instance().threads.size(); }

}  // namespace stipple

#endif
