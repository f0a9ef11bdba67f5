// Numbers that every example reports.
#pragma once

#include <chrono>

#include <stipple/nn/model.hpp>

namespace example {

namespace st = stipple;

/// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// Weights of a model.
template <class Net>
st::Index parameter_count(const st::Model<Net>& model) {
  st::Index count = 0;
  for (auto const& parameter : model.parameters()) count += parameter.shape.size();
  return count;
}

/// The most bytes that tensors have taken so far, in MiB.
inline double peak_tensor_memory() {
  return static_cast<double>(st::Context::instance().allocator.report().peak) / (1024 * 1024);
}

}  // namespace example
