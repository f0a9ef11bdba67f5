// ModelState: the parameters of a network in one contiguous arena; so are moments and moving average, and gradients
// that are asked for.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <stipple/backend/optimizer_update.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/ema.hpp>
#include <stipple/nn/parameter.hpp>

namespace stipple {

/// Where a parameter lies in the arenas of a Model: `shape.size()` elements from `offset`.
struct ParameterInfo {
  std::string name;
  Index offset = 0;
  Shape shape;
  Layout layout = Layout::plain;
};

/// What an optimiser keeps from step to step. It belongs to the model, as the weights do; optimisers are settings.
template <Real C, Device D>
struct OptimizerState {
  static constexpr Index settings_bytes = 128;  // of an update, at the most

  std::string kind;  ///< "adam", "adam_amsgrad", "sgd", or empty before the first step
  std::int64_t steps = 0;
  std::vector<Tensor<C, D>> moments;
  Tensor<std::uint8_t, D> settings;  ///< of the step that is done, as the kernel reads them
  Tensor<double, D> clipped;         ///< of the gradients: their norm, and what they are multiplied with
};

/// The moving average of a model's weights; `weights` is undefined when none is kept.
template <class Arena>
struct EmaState {
  Ema settings;
  std::int64_t updates = 0;
  Arena weights;
};

/// A buffer of a network: its path, and a tensor of whatever element type that shares the storage.
template <Device D>
struct NamedBuffer {
  std::string name;
  std::variant<Tensor<float, D>, Tensor<bf16, D>, Tensor<double, D>> value;
};

/// All of a Model but its network, for a network of element T: what optimisers, checkpoints and the trainer work on.
template <Real T, Device D>
class ModelState {
 public:
  using element = T;
  using device = D;
  using master = accumulate_t<element>;
  using Arena = Tensor<master, device>;
  static constexpr bool has_working = !std::same_as<element, master>;  ///< bf16 parameters read a rounded copy

  /// All parameters in the order of the network's `each`.
  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  /// All buffers in that order.
  const std::vector<NamedBuffer<D>>& buffers() const { return buffers_; }
  /// Master weights of all parameters. After writing to them call `weights_changed`.
  Arena& weights() { return weights_; }
  const Arena& weights() const { return weights_; }
  /// Brings what is derived from the weights up to date.
  void weights_changed();
  /// The rounded copy that bf16 parameters read; undefined in other networks.
  Tensor<T, D>& working_weights() { return working_; }
  const Tensor<T, D>& working_weights() const { return working_; }

  /// Gradients since the last optimiser step or `zero_grad`; zero for parameters that got none. On the CPU backward
  /// leaves each in memory of its own, and this moves them into an arena.
  Arena& gradients();
  /// The same as they are, without the parameters that got none.
  std::vector<ArenaPiece<master>> gradient_pieces() const requires std::same_as<D, Cpu>;
  /// Starts over from zero. On the CPU this frees the gradients' memory, which the next forward pass can use.
  void zero_grad();
  /// True if no gradient was computed since the last optimiser step or `zero_grad`.
  bool gradients_are_fresh() const;
  /// Takes what the arena holds for the gradients: something else than a backward pass, such as a CUDA graph, wrote
  /// all of it.
  void take_gradients();

  /// From now on optimiser steps also move an average of the weights, which starts as the weights are now. References
  /// from an earlier `ema` end. Throws Error unless 0 <= decay < 1.
  void track_ema(Ema settings);
  void drop_ema();
  bool has_ema() const { return average_.weights.defined(); }
  /// For optimisers and checkpoints; its arena may be written to.
  EmaState<Arena>& ema_state() {
    ema_stale_ = true;
    return average_;
  }
  const EmaState<Arena>& ema_state() const { return average_; }

  OptimizerState<master, D>& optimizer_state() { return optimizer_; }
  const OptimizerState<master, D>& optimizer_state() const { return optimizer_; }
  /// The state of an optimiser of `kind` with `moments` arenas, made at its first step. Throws Error if the model holds
  /// the state of another kind.
  OptimizerState<master, D>& optimizer_state(const std::string& kind, std::size_t moments);
  /// Forgets all moments.
  void reset_optimizer();

  /// The part of an arena that belongs to parameter `i`, in its shape.
  template <Element U>
  Tensor<U, D> view(const Tensor<U, D>& arena, std::size_t i) const {
    return arena.view(parameters_[i].offset, parameters_[i].shape);
  }
  /// Name of the first parameter whose part of `arena` holds a NaN or an infinity; empty if there is none.
  std::string first_non_finite(const Arena& arena) const;

 protected:
  ModelState();
  ModelState(ModelState&&) noexcept;
  ModelState& operator=(ModelState&&) noexcept;
  ~ModelState();

  /// Moves every value of the network into the arena and gives it a leaf of its own there.
  void adopt(const std::vector<LeafRef<D>>& leaves);
  /// Lets a copy of the network read the average.
  void read_average(const std::vector<LeafRef<D>>& leaves) const;
  /// Brings what such copies read up to date. True if they are from before the last `drop_ema`. Throws Error without
  /// `track_ema`.
  bool renew_average() const;

 private:
  static constexpr Index alignment = 32;  // elements: 64 bytes of bf16, and whole vectors everywhere
  // On a GPU gradients have an arena for good, because recorded graphs write to it.
  static constexpr bool keeps_gradients = !std::same_as<D, Cpu>;

  // Of the leaf that a parameter is.
  struct Gradient {
    std::shared_ptr<Arena> total;
    std::shared_ptr<bool> fresh;
  };

  // Elements that a parameter of `size` takes in an arena.
  static Index padded(Index size) { return (std::max<Index>(1, size) + alignment - 1) / alignment * alignment; }
  std::vector<std::shared_ptr<autograd::Node>> plan(const std::vector<LeafRef<D>>& leaves);
  // What a parameter of element U reads.
  template <Real U>
  Tensor<U, D> value_view(const Arena& full, const Tensor<T, D>& rounded, std::size_t i) const;

  std::vector<ParameterInfo> parameters_;
  std::vector<NamedBuffer<D>> buffers_;
  std::vector<Gradient> of_parameters_;
  Index size_ = 0;
  Arena weights_, gradients_;
  Tensor<T, D> working_;
  OptimizerState<master, D> optimizer_;
  EmaState<Arena> average_;
  mutable bool ema_stale_ = true;
  mutable bool ema_dropped_ = false;
  mutable Tensor<T, D> ema_working_;
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

#include <cmath>

#include <stipple/backend/cpu/arithmetic.hpp>
#include <stipple/backend/cpu/optimizer.hpp>

namespace stipple {

namespace detail {
// Calls f(parameter) with the parameter that a leaf is, in a network of element T; returns false for a buffer.
template <Real T, Device D, class F>
bool with_parameter(const LeafRef<D>& ref, const F& f) {
  return std::visit(
      [&]<class Leaf>(Leaf* leaf) {
        if constexpr (requires { leaf->var; }) {
          using U = typename Leaf::element;
          if constexpr (std::same_as<U, T> || std::same_as<U, accumulate_t<T>>)
            f(*leaf);
          else
            fail("Model: given the parameter '", ref.path, "' of ", dtype_name<U>(), " in a network of ",
                 dtype_name<T>(), ", wanted that or ", dtype_name<accumulate_t<T>>());
          return true;
        } else {
          return false;
        }
      },
      ref.leaf);
}
}  // namespace detail

template <Real T, Device D>
ModelState<T, D>::ModelState() = default;
template <Real T, Device D>
ModelState<T, D>::ModelState(ModelState&&) noexcept = default;
template <Real T, Device D>
ModelState<T, D>& ModelState<T, D>::operator=(ModelState&&) noexcept = default;
template <Real T, Device D>
ModelState<T, D>::~ModelState() = default;

template <Real T, Device D>
void ModelState<T, D>::weights_changed() {
  using cpu::cast;
  if constexpr (has_working) cast(std::as_const(weights_).data(), working_.data(), size_);
}

template <Real T, Device D>
typename ModelState<T, D>::Arena& ModelState<T, D>::gradients() {
  if (!gradients_.defined()) gradients_ = Arena::zeros({size_});
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    auto& [total, fresh] = of_parameters_[i];
    auto part = view(gradients_, i);
    if (*fresh)
      part.fill(0);
    else if (total->data() != part.data())
      part.copy_from(*total);
    *total = std::move(part);
    *fresh = false;
  }
  return gradients_;
}

template <Real T, Device D>
auto ModelState<T, D>::gradient_pieces() const -> std::vector<ArenaPiece<master>>
requires std::same_as<D, Cpu> {
  std::vector<ArenaPiece<master>> pieces;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    auto const& [total, fresh] = of_parameters_[i];
    bool const is_tied = !pieces.empty() && parameters_[i].offset <= pieces.back().offset;
    if (!*fresh && !is_tied) pieces.push_back({parameters_[i].offset, total->size(), std::as_const(*total).data()});
  }
  return pieces;
}

template <Real T, Device D>
void ModelState<T, D>::zero_grad() {
  for (auto const& [total, fresh] : of_parameters_) {
    *fresh = true;
    if constexpr (!keeps_gradients) *total = {};
  }
  if constexpr (!keeps_gradients) gradients_ = {};
}

template <Real T, Device D>
bool ModelState<T, D>::gradients_are_fresh() const {
  return std::all_of(of_parameters_.begin(), of_parameters_.end(), [](const Gradient& g) { return *g.fresh; });
}

template <Real T, Device D>
void ModelState<T, D>::take_gradients() {
  for (auto const& [total, fresh] : of_parameters_) *fresh = false;
}

template <Real T, Device D>
void ModelState<T, D>::track_ema(Ema settings) {
  require(settings.decay >= 0 && settings.decay < 1, "track_ema: given decay ", settings.decay,
          ", wanted 0 <= decay < 1");
  drop_ema();
  average_ = {settings, 0, weights_.clone()};
}

template <Real T, Device D>
void ModelState<T, D>::drop_ema() {
  average_ = {};
  ema_working_ = {};
  ema_stale_ = true;
  ema_dropped_ = true;
}

template <Real T, Device D>
auto ModelState<T, D>::optimizer_state(const std::string& kind, std::size_t moments) -> OptimizerState<master, D>& {
  if (optimizer_.kind.empty()) {
    optimizer_.kind = kind;
    for (std::size_t i = 0; i < moments; ++i) optimizer_.moments.push_back(Arena::zeros({size_}));
    optimizer_.settings = Tensor<std::uint8_t, D>({optimizer_.settings_bytes});
    optimizer_.clipped = Tensor<double, D>({2});
  }
  require(optimizer_.kind == kind, kind, ": the model holds the moments of ", optimizer_.kind,
          "; to change the optimiser call reset_optimizer first");
  require(optimizer_.moments.size() == moments, kind, ": the model holds ", optimizer_.moments.size(), " moments of ",
          kind, ", wanted ", moments, "; to start without them call reset_optimizer first");
  return optimizer_;
}

template <Real T, Device D>
void ModelState<T, D>::reset_optimizer() {
  optimizer_ = {};
}

template <Real T, Device D>
std::string ModelState<T, D>::first_non_finite(const Arena& arena) const {
  using cpu::sum_of_squares;
  if (std::isfinite(sum_of_squares(arena.data(), arena.size()))) return {};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    auto const part = to<Cpu>(view(arena, i));
    for (master const value : part.span())
      if (!std::isfinite(value)) return parameters_[i].name;
  }
  return {};
}

// Places every parameter; returns the leaves that their values had before, by which tied ones are known.
template <Real T, Device D>
std::vector<std::shared_ptr<autograd::Node>> ModelState<T, D>::plan(const std::vector<LeafRef<D>>& leaves) {
  std::vector<std::shared_ptr<autograd::Node>> sinks;
  for (auto const& ref : leaves) {
    detail::with_parameter<T>(ref, [&](auto& leaf) {
      auto const tied = std::find(sinks.begin(), sinks.end(), leaf.var.sink());
      auto const first = static_cast<std::size_t>(tied - sinks.begin());
      bool const is_new = leaf.var.sink() == nullptr || tied == sinks.end();
      parameters_.push_back({ref.path, is_new ? size_ : parameters_[first].offset, leaf.var.shape(), leaf.layout});
      if (is_new) size_ += padded(leaf.var.value().size());
      sinks.push_back(leaf.var.sink());
    });
  }
  return sinks;
}

template <Real T, Device D>
void ModelState<T, D>::adopt(const std::vector<LeafRef<D>>& leaves) {
  auto sinks = plan(leaves);
  weights_ = Arena::zeros({size_});
  if constexpr (has_working) working_ = Tensor<T, D>::zeros({size_});
  if constexpr (keeps_gradients) gradients_ = Arena::zeros({size_});
  std::size_t i = 0;
  for (auto const& ref : leaves) {
    bool const is_parameter = detail::with_parameter<T>(ref, [&]<class U>(Parameter<U, D>& leaf) {
      view(weights_, i).copy_from(ops::cast<master>(leaf.var.value()));
      std::size_t first = 0;
      while (parameters_[first].offset != parameters_[i].offset) ++first;
      if (first == i) {
        leaf.var = Var<U, D>(value_view<U>(weights_, working_, i), true);
        if constexpr (keeps_gradients) leaf.var.sink()->total = view(gradients_, i);
      } else {
        leaf.var = Var<U, D>(value_view<U>(weights_, working_, i),
                             std::static_pointer_cast<autograd::Sink<U, D>>(sinks[first]));
      }
      sinks[i] = leaf.var.sink();
      auto const& sink = leaf.var.sink();
      of_parameters_.push_back({{sink, &sink->total}, {sink, &sink->fresh}});
      ++i;
    });
    if (is_parameter) continue;
    std::visit(
        [&](auto* leaf) {
          if constexpr (requires { leaf->value; }) {
            leaf->value = leaf->value.clone();
            buffers_.push_back({ref.path, leaf->value});
          }
        },
        ref.leaf);
  }
  weights_changed();
}

template <Real T, Device D>
void ModelState<T, D>::read_average(const std::vector<LeafRef<D>>& leaves) const {
  std::size_t i = 0;
  for (auto const& ref : leaves)
    detail::with_parameter<T>(ref, [&]<class U>(Parameter<U, D>& leaf) {
      leaf.var = Var<U, D>(value_view<U>(average_.weights, ema_working_, i++));
    });
}

template <Real T, Device D>
bool ModelState<T, D>::renew_average() const {
  require(has_ema(), "ema: the model keeps no average of its weights; call track_ema before training");
  if constexpr (has_working) {
    if (!ema_working_.defined()) ema_working_ = Tensor<T, D>::zeros({size_});
    using cpu::cast;
    if (ema_stale_) cast(std::as_const(average_.weights).data(), ema_working_.data(), size_);
    ema_stale_ = false;
  }
  return std::exchange(ema_dropped_, false);
}

template <Real T, Device D>
template <Real U>
Tensor<U, D> ModelState<T, D>::value_view(const Arena& full, const Tensor<T, D>& rounded, std::size_t i) const {
  if constexpr (std::same_as<U, master>)
    return view(full, i);
  else
    return view(rounded, i);
}

#define STIPPLE_INSTANCES(T, D) template class ModelState<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
