// SIGINT, SIGTERM and SIGHUP as a flag, so that a run can end at a good place.
#pragma once

#include <stipple/core/compiled.hpp>

#include <signal.h>

#include <array>
#include <atomic>

namespace stipple {

/// While one lives, the first SIGINT, SIGTERM or SIGHUP is only remembered; a second one of the same kind ends the
/// process. A SIGHUP that is ignored, as under nohup, stays so. Before and after, signals do what they did. One at a
/// time.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  /// The number of the signal that asked to stop, or 0.
  int received() const { return received_; }

 private:
  static constexpr std::array<int, 3> numbers{SIGINT, SIGTERM, SIGHUP};
  // The only thing that a signal handler can reach is a global.
  static inline std::atomic<int> received_{0};
  static_assert(std::atomic<int>::is_always_lock_free, "signal handlers may touch nothing that locks");

  std::array<struct sigaction, 3> before_{};
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(train) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_IO_INLINE StopSignals::StopSignals() {
  received_ = 0;
  struct sigaction action {};
  action.sa_handler = [](int number) { received_ = number; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    sigaction(numbers[i], nullptr, &before_[i]);
    if (numbers[i] != SIGHUP || before_[i].sa_handler != SIG_IGN) sigaction(numbers[i], &action, nullptr);
  }
}

STIPPLE_IO_INLINE StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < numbers.size(); ++i) sigaction(numbers[i], &before_[i], nullptr);
}

}  // namespace stipple

#endif
