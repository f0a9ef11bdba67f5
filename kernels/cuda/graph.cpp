#include "graph.hpp"

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>

#include "driver.hpp"
#include "memory_pool.hpp"
#include "workspace.hpp"

namespace stipple::cuda {

namespace {

thread_local const std::uint32_t* draws_of_recording = nullptr;

// The graph's stream is the current one, and what is put into it is recorded.
class Recording {
 public:
  Recording(const Stream& stream, const std::uint32_t* draws) : stream_(stream.handle()), current_(stream) {
    driver::begin_recording(stream_);
    device_pool().begin_recording(stream_);
    draws_of_recording = draws;
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() {
    draws_of_recording = nullptr;
    if (!ended_) driver::abandon_recording(stream_);
    device_pool().end_recording(stream_);
  }
  driver::GraphHandle end() {
    ended_ = true;
    return driver::end_recording(stream_);
  }

 private:
  void* stream_;
  CurrentStream current_;
  bool ended_ = false;
};

}  // namespace

struct Graph::State {
  Stream stream;
  Workspace<std::uint32_t> draws{1};
  driver::GraphHandle graph = nullptr;

  void forget() noexcept {
    if (graph == nullptr) return;
    try {
      driver::OnDevice const there(stream.device(), selected_device());
      synchronize();
    } catch (const Error&) {  // told to whoever synchronises next, or the device is lost
    }
    driver::destroy_graph(graph);
    graph = nullptr;
  }
};

Graph::Graph() : state_(std::make_unique<State>()) {}
Graph::~Graph() { state_->forget(); }

void Graph::record(const std::function<void()>& work) {
  require(!recording(), "cuda graph: given a recording within a recording");
  require(!debug(), "cuda graph: debug mode waits after every operation, which cannot be recorded");
  state_->forget();
  Recording recording(state_->stream, state_->draws.data());
  work();
  state_->graph = recording.end();
}

bool Graph::recorded() const { return state_->graph != nullptr; }

void Graph::replay(std::uint32_t draws) {
  require(recorded(), "cuda graph: given nothing to replay, wanted a recording first");
  require(state_->stream.device() == selected_device(), "cuda graph: given a recording of device ",
          state_->stream.device(), " while device ", selected_device(), " is selected");
  Memory<Cuda>::fill(state_->draws.data(), draws, 1);
  driver::replay(state_->graph, current_stream());
  after_launch("cuda graph");
}

bool recording() { return draws_of_recording != nullptr; }

void refuse_to_record(const char* what) { require(!recording(), "cuda graph: ", what, ", which cannot be recorded"); }

const std::uint32_t* recorded_draws() { return draws_of_recording; }

}  // namespace stipple::cuda
