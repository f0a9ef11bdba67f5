// A persistent pool of threads with dynamic chunks, in which the caller takes part.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/core/shape.hpp>

namespace stipple {

/// Splits index ranges into chunks that any free thread takes next.
///
/// Chunk boundaries depend on the problem alone, never on the number of threads, so a kernel that reduces per chunk
/// and adds the parts in order gives the same bits with any number of threads. Threads spin briefly for the next
/// region before they sleep; the caller never waits for a thread that has not taken a chunk.
class ThreadPool {
 public:
  explicit ThreadPool(int threads = default_threads());
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  /// Changes the number of threads (1 to 1024, the caller included). Not to be called inside `run`.
  void resize(int threads);

  /// Calls f(begin, end) for consecutive pieces of [0, n) of at most `grain` indices each. Nested calls run inline.
  /// The first exception thrown by f is rethrown here after all pieces ended.
  template <class F>
  void run(Index n, Index grain, const F& f) {
    run(n, grain, &f,
        [](const void* context, Index begin, Index end) { (*static_cast<const F*>(context))(begin, end); });
  }

  /// STIPPLE_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may run on.
  static int default_threads();

 private:
  using Piece = void(const void* context, Index begin, Index end);
  static constexpr int max_threads = 1024;
  static constexpr int spin_limit = 4000;  // some tens of microseconds

  void run(Index n, Index grain, const void* context, Piece* call);
  static bool& inside();
  static void pause();

  // The ticket holds the region's generation (upper half) and the chunks not yet taken (lower half). A thread that
  // arrives late finds no chunks or fails its exchange, and never reads the fields of a region that has ended.
  void work();

  void worker();

  void start(int threads);
  void stop();

  std::vector<std::thread> workers_;
  std::mutex region_;
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<Index> finished_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stopping_{false};
  Piece* call_ = nullptr;
  const void* context_ = nullptr;
  Index n_ = 0, grain_ = 1, chunks_ = 0;
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

}  // namespace stipple

#if STIPPLE_DEFINES(core) && STIPPLE_DEFINES_FUNCTIONS

#include <algorithm>
#include <cstdlib>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif

namespace stipple {

STIPPLE_INLINE ThreadPool::ThreadPool(int threads) { start(threads); }

STIPPLE_INLINE ThreadPool::~ThreadPool() { stop(); }

STIPPLE_INLINE void ThreadPool::resize(int threads) {
  require(threads >= 1 && threads <= max_threads, "threads: given ", threads, ", wanted 1 to ", int{max_threads});
  stop();
  start(threads);
}

STIPPLE_INLINE void ThreadPool::run(Index n, Index grain, const void* context, Piece* call) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  Index const chunks = (n + grain - 1) / grain;
  if (chunks == 1 || workers_.empty() || inside()) {
    for (Index begin = 0; begin < n; begin += grain) call(context, begin, std::min(n, begin + grain));
    return;
  }
  std::lock_guard const region(region_);
  call_ = call;
  context_ = context;
  n_ = n;
  grain_ = grain;
  chunks_ = chunks;
  error_ = nullptr;
  finished_.store(0, std::memory_order_relaxed);
  std::uint64_t const generation = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store(generation << 32 | static_cast<std::uint64_t>(chunks), std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) ticket_.notify_all();
  inside() = true;
  work();
  inside() = false;
  for (int spin = 0; finished_.load(std::memory_order_acquire) != chunks; ++spin) {
    if (spin < spin_limit)
      pause();
    else
      std::this_thread::yield();
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

STIPPLE_INLINE int ThreadPool::default_threads() {
  for (const char* name : {"STIPPLE_NUM_THREADS", "OMP_NUM_THREADS"}) {
    if (const char* text = std::getenv(name)) {
      int const n = std::atoi(text);
      if (n >= 1) return std::min(n, max_threads);
    }
  }
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

STIPPLE_INLINE bool& ThreadPool::inside() {
  thread_local bool flag = false;
  return flag;
}

STIPPLE_INLINE void ThreadPool::pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

STIPPLE_INLINE void ThreadPool::work() {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while ((ticket & 0xffffffffu) != 0) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    Index const chunk = chunks_ - static_cast<Index>(ticket & 0xffffffffu);
    Index const begin = chunk * grain_;
    try {
      call_(context_, begin, std::min(n_, begin + grain_));
    } catch (...) {
      std::lock_guard const lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
    finished_.fetch_add(1, std::memory_order_acq_rel);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

STIPPLE_INLINE void ThreadPool::worker() {
  inside() = true;
  while (!stopping_.load(std::memory_order_acquire)) {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    for (int spin = 0; spin < spin_limit && (ticket & 0xffffffffu) == 0; ++spin) {
      pause();
      ticket = ticket_.load(std::memory_order_acquire);
    }
    if ((ticket & 0xffffffffu) == 0) {
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      ticket = ticket_.load(std::memory_order_seq_cst);
      if ((ticket & 0xffffffffu) == 0 && !stopping_.load(std::memory_order_acquire))
        ticket_.wait(ticket, std::memory_order_acquire);
      sleeping_.fetch_sub(1, std::memory_order_seq_cst);
      continue;
    }
    work();
  }
}

STIPPLE_INLINE void ThreadPool::start(int threads) {
  stopping_ = false;
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { worker(); });
}

STIPPLE_INLINE void ThreadPool::stop() {
  stopping_ = true;
  // A new generation without chunks: the value changes, so every waiting thread wakes up.
  ticket_.store(((ticket_.load() >> 32) + 1) << 32, std::memory_order_seq_cst);
  ticket_.notify_all();
  for (auto& thread : workers_) thread.join();
  workers_.clear();
}

}  // namespace stipple

#endif
