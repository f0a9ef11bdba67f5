// Calls that a GPU is told of once: a function of tensors as a CUDA graph.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include <stipple/autograd/mode.hpp>
#include <stipple/backend/cuda/graph.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// f(inputs...) as a graph. The first call with some shapes is an ordinary one; the second records f and replays it, as
/// do the later ones, on inputs that are copied to where the recording reads them. Calls with other shapes, and all
/// calls where f cannot be recorded, are ordinary ones. Both give the same bits.
///
/// f has to do the same in every call. What it reads besides its inputs (weights) has to stay where it is, and may
/// change there. A replay gets the draws that the call would take from its Rng, and leaves the Rng as the call would.
template <class Output, class... Inputs>
class RecordedCall {
 public:
  /// The result of a replay is overwritten by the next one. f draws from the Rng of the Training that lives, if there
  /// is one, as dropout does.
  Output operator()(const std::function<Output(const Inputs&...)>& f, const Inputs&... inputs) {
    return drawing_from(autograd::training_rng(), f, inputs...);
  }
  /// The same for f that draws from `rng` alone, or from nothing if that is null.
  Output drawing_from(Rng* rng, const std::function<Output(const Inputs&...)>& f, const Inputs&... inputs) {
    std::array<Shape, sizeof...(Inputs)> const shapes{inputs.shape()...};
    if (!why_not_.empty() || (graph_ && shapes != shapes_)) return f(inputs...);
    if (!graph_ && (!shapes_ || *shapes_ != shapes)) {
      shapes_ = shapes;
      return f(inputs...);
    }
    if (graph_ && !draws_.fits(rng)) graph_.reset();
    if (!graph_) {
      record(rng, f, inputs...);
      if (!graph_) return f(inputs...);
    } else {
      std::apply([&](Inputs&... kept) { (kept.copy_from(inputs), ...); }, *inputs_);
    }
    graph_->replay(draws_.take(rng));
    return output_;
  }

  /// True if calls with the recorded shapes are replays.
  bool recorded() const { return graph_.has_value(); }
  /// Why f cannot be recorded; empty as long as nothing speaks against it.
  const std::string& why_not() const { return why_not_; }

 private:
  // The draws that a recording took from its Rng, if there was one.
  struct Draws {
    bool has_rng = false;
    std::uint64_t seed = 0, first = 0, count = 0;

    // True if a replay can have the Rng's next draws: keys hold the upper half of a draw's number.
    bool fits(const Rng* rng) const {
      if (!has_rng || rng == nullptr) return !has_rng && rng == nullptr;
      return rng->seed() == seed && rng->draws() >> 32 == first >> 32 && (rng->draws() + count) >> 32 == first >> 32;
    }
    // What replays add to the recorded numbers; moves the Rng on.
    std::uint32_t take(Rng* rng) const {
      if (rng == nullptr) return 0;
      std::uint64_t const now = rng->draws();
      *rng = Rng(seed, now + count);
      return static_cast<std::uint32_t>(now - first);
    }
  };

  void record(Rng* rng, const std::function<Output(const Inputs&...)>& f, const Inputs&... inputs) {
    draws_ = rng == nullptr ? Draws{} : Draws{true, rng->seed(), rng->draws(), 0};
    try {
      inputs_.emplace(inputs.clone()...);
      graph_.emplace().record(
          [&] { output_ = std::apply([&](const Inputs&... kept) { return f(kept...); }, std::as_const(*inputs_)); });
      if (rng != nullptr) draws_.count = rng->draws() - draws_.first;
    } catch (const Error& error) {
      why_not_ = error.what();
      graph_.reset();
    }
    if (rng != nullptr) *rng = Rng(draws_.seed, draws_.first);  // the replay takes the draws
  }

  std::optional<std::array<Shape, sizeof...(Inputs)>> shapes_;
  std::optional<std::tuple<Inputs...>> inputs_;
  Output output_;
  Draws draws_;
  std::optional<cuda::Graph> graph_;  // ends before what it reads and writes
  std::string why_not_;
};

}  // namespace stipple
