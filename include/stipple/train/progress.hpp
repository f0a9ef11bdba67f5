// How far a run is: a bar that is redrawn on a terminal, a line every few seconds elsewhere.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/core/context.hpp>
#include <stipple/core/device.hpp>

namespace stipple {

/// What a line of progress shows.
struct ProgressReport {
  std::int64_t step = 0, total = 0;
  double steps_per_second = 0;  ///< 0: not known yet
  double loss = 0;              ///< not shown if it is NaN
  std::size_t memory = 0;       ///< bytes in use by tensors, at the most
};

namespace detail {

template <class... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace detail

/// " 37%  1734/4690  12.3 steps/s  4:01 left  loss 0.0532  412 MiB", after a bar of `bar` characters if that is
/// positive.
STIPPLE_IO_INLINE std::string progress_text(const ProgressReport& report, int bar = 0);

/// The most bytes that tensors of D have taken so far; of Cuda, on the selected GPU.
template <Device D>
std::size_t peak_memory() {
  if constexpr (std::same_as<D, Cpu>)
    return Context::instance().allocator.report().peak;
  else
    return cuda::memory_report().peak;
}

/// Shows the progress of a run on a stream, standard error unless told otherwise.
class Progress {
 public:
  /// From step `first` to step `total`. A quiet one shows nothing. `memory` is the function that tells the memory in
  /// use: for work on a GPU, `peak_memory<Cuda>`.
  Progress(std::int64_t first, std::int64_t total, bool quiet = false, std::size_t (*memory)() = peak_memory<Cpu>,
           std::FILE* stream = stderr);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Leaves the last line standing.
  ~Progress();

  /// After each step, with its loss or NaN; costs a look at the clock unless it is time to show something.
  void update(std::int64_t step, double loss);

 private:
  using Clock = std::chrono::steady_clock;

  void show();

  std::int64_t first_;
  bool quiet_;
  std::size_t (*memory_)();
  std::FILE* stream_;
  bool on_terminal_;
  ProgressReport report_;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(train) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_IO_INLINE Progress::Progress(std::int64_t first, std::int64_t total, bool quiet, std::size_t (*memory)(),
                                     std::FILE* stream)
    : first_(first), quiet_(quiet), memory_(memory), stream_(stream), on_terminal_(isatty(fileno(stream)) != 0) {
  report_.step = first;
  report_.total = total;
}

STIPPLE_IO_INLINE Progress::~Progress() {
  if (quiet_ || report_.step == first_) return;
  show();
  if (on_terminal_) std::fputc('\n', stream_);
  std::fflush(stream_);
}

STIPPLE_IO_INLINE void Progress::update(std::int64_t step, double loss) {
  if (quiet_) return;
  report_.step = step;
  report_.loss = loss;
  auto const now = Clock::now();
  if (now - shown_ < (on_terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5))) return;
  shown_ = now;
  show();
}

STIPPLE_IO_INLINE void Progress::show() {
  double const seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  report_.steps_per_second = seconds > 0 ? static_cast<double>(report_.step - first_) / seconds : 0;
  report_.memory = memory_();
  if (on_terminal_)
    std::fprintf(stream_, "\r%s\033[K", progress_text(report_, 24).c_str());
  else
    std::fprintf(stream_, "%s\n", progress_text(report_).c_str());
  std::fflush(stream_);
}

}  // namespace stipple

namespace stipple::detail {

/// "4:05" or "1:02:45"
inline std::string clock_text(double seconds) {
  auto const s = static_cast<long long>(seconds + 0.5);
  if (s >= 3600) return formatted("%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
  return formatted("%lld:%02lld", s / 60, s % 60);
}

inline std::string memory_text(std::size_t bytes) {
  double const mib = static_cast<double>(bytes) / (1024 * 1024);
  return mib < 1024 ? formatted("%.0f MiB", mib) : formatted("%.1f GiB", mib / 1024);
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE std::string progress_text(const ProgressReport& report, int bar) {
  double const part = report.total > 0 ? static_cast<double>(report.step) / static_cast<double>(report.total) : 0;
  std::string text;
  if (bar > 0) {
    int const full = std::clamp(static_cast<int>(part * bar), 0, bar);
    text += "[" + std::string(static_cast<std::size_t>(full), '#') +
            std::string(static_cast<std::size_t>(bar - full), '.') + "] ";
  }
  text += detail::formatted("%3.0f%%  ", 100 * part);
  text += std::to_string(report.step) + "/" + std::to_string(report.total);
  if (report.steps_per_second > 0) {
    double const left = static_cast<double>(report.total - report.step) / report.steps_per_second;
    text += detail::formatted(report.steps_per_second < 100 ? "  %.1f steps/s  " : "  %.0f steps/s  ",
                              report.steps_per_second);
    text += detail::clock_text(left) + " left";
  }
  if (!std::isnan(report.loss)) text += detail::formatted("  loss %.4g", report.loss);
  return text + "  " + detail::memory_text(report.memory);
}

}  // namespace stipple

#endif
