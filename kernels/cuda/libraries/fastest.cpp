#include "fastest.hpp"

#include <limits>

#include <cuda_runtime_api.h>

#include <stipple/backend/cuda/runtime.hpp>

#include "check.hpp"

namespace stipple::cuda::products {

namespace {

class Clock {
 public:
  Clock() { check(cudaEventCreate(&event_), "autotune", "create an event"); }
  ~Clock() { (void)cudaEventDestroy(event_); }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "autotune", "record an event"); }
  /// Milliseconds from `begin` to this; waits for it.
  float since(const Clock& begin) {
    float milliseconds = 0;
    check(cudaEventSynchronize(event_), "autotune", "wait for an event");
    check(cudaEventElapsedTime(&milliseconds, begin.event_, event_), "autotune", "measure time");
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

std::size_t fastest(std::size_t candidates, const std::function<void(std::size_t)>& run) {
  constexpr int rounds = 4;
  auto const stream = static_cast<cudaStream_t>(current_stream());
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &capture), "autotune", "ask for the state of the stream");
  if (candidates < 2 || capture != cudaStreamCaptureStatusNone) return 0;
  Clock begin, end;
  std::size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < candidates; ++i) {
    run(i);  // loads the kernel
    begin.record(stream);
    for (int round = 0; round < rounds; ++round) run(i);
    end.record(stream);
    if (float const time = end.since(begin); time < least) {
      least = time;
      best = i;
    }
  }
  return best;
}

}  // namespace stipple::cuda::products
