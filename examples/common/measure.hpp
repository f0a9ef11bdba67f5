// Numbers that every example reports.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include <stipple/nn/model.hpp>
#include <stipple/train/progress.hpp>

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

/// How much samples (N, ...) differ: the root of the variance over the samples, averaged over the elements.
inline double deviation(const st::Tensor<float>& samples) {
  st::Index const n = samples.dim(0), row = samples.size() / n;
  double variance = 0;
  for (st::Index j = 0; j < row; ++j) {
    double sum = 0, squares = 0;
    for (st::Index i = 0; i < n; ++i) {
      double const x = samples.data()[i * row + j];
      sum += x;
      squares += x * x;
    }
    variance += (squares - sum * sum / static_cast<double>(n)) / static_cast<double>(n * row);
  }
  return std::sqrt(std::max(0.0, variance));
}

/// The most bytes that tensors of a device have taken so far, in MiB.
template <st::Device D = st::Cpu>
double peak_tensor_memory() {
  return static_cast<double>(st::peak_memory<D>()) / (1024 * 1024);
}

}  // namespace example
