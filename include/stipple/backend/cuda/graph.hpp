// CUDA graphs: a row of operations that is recorded once and started as a whole, which spares the host the cost of
// starting each. Defined by the library stipple::cuda.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace stipple::cuda {

/// Recorded work. Its operations keep the addresses that they were recorded with, so whatever it reads and writes has
/// to stay where it is: tensors from before by who records it, results by who wants them. Memory that the work takes
/// and gives back in between belongs to the graph. Replays follow each other in one stream. All of it is of the device
/// that is selected when the graph is made; another one may be selected at its end.
class Graph {
 public:
  Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  /// Waits for its device.
  ~Graph();

  /// Calls `work` and records what it puts into the current stream, instead of doing it. What was recorded before is
  /// forgotten. Throws Error, and has recorded nothing, if the work waits for the device, reads memory of the host or
  /// fails itself, and in debug mode, which waits after every operation.
  void record(const std::function<void()>& work);
  bool recorded() const;
  /// Puts the work into the current stream. `draws` is added to the number of every draw of random numbers in it, which
  /// are those of later steps then: kernels read it from memory that this writes first. Throws Error if nothing is
  /// recorded, and while another device is selected.
  void replay(std::uint32_t draws = 0);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True while this thread records.
bool recording();

}  // namespace stipple::cuda
