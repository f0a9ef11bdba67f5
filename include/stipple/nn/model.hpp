// Model<Net>: a network whose parameters lie in one contiguous arena; so do gradients, moments and moving average.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <stipple/backend/cpu/optimizer.hpp>
#include <stipple/nn/ema.hpp>
#include <stipple/nn/parameter.hpp>

namespace stipple {

/// Element type and device of a network: those of a template Net<T, D>, or its members `element` and `device`.
template <class Net>
struct NetTypes {
  using element = typename Net::element;
  using device = typename Net::device;
};
template <template <Real, Device> class Net, class T, class D>
struct NetTypes<Net<T, D>> {
  using element = T;
  using device = D;
};

/// Where a parameter lies in the arenas of a Model: `shape.size()` elements from `offset`.
struct ParameterInfo {
  std::string name;
  Index offset = 0;
  Shape shape;
  Layout layout = Layout::plain;
};

/// What an optimiser keeps from step to step. It belongs to the model, as the weights do; optimisers are settings.
template <class Arena>
struct OptimizerState {
  std::string kind;  ///< "adam", "adam_amsgrad", "sgd", or empty before the first step
  std::int64_t steps = 0;
  std::vector<Arena> moments;
};

/// The moving average of a model's weights; `weights` is undefined when none is kept.
template <class Arena>
struct EmaState {
  Ema settings;
  std::int64_t updates = 0;
  Arena weights;
};

/// Owns a network and its training state.
///
///     Model net{Unet<bf16, Cpu>(64, rng)};
///     ...
///     loss.backward();
///     adam.step(net);  // the next backward starts from zero gradients
///
/// Weights, gradients and all that optimisers add are arenas in the accumulation type, with every parameter at a
/// multiple of 64 bytes and zeros between. In a bf16 network, parameters of element bf16 read a rounded working copy
/// that each optimiser step renews; parameters of element float read the arena itself. Parameters that share one value
/// before (tied weights) share it after.
template <class Net>
class Model {
 public:
  using element = typename NetTypes<Net>::element;
  using device = typename NetTypes<Net>::device;
  using master = accumulate_t<element>;
  using Arena = Tensor<master, device>;
  static constexpr bool has_working = !std::same_as<element, master>;  ///< bf16 parameters read a rounded copy

  explicit Model(Net net) : net_(std::move(net)) {
    plan();
    weights_ = Arena::zeros({size_});
    if constexpr (has_working) working_ = Tensor<element, device>::zeros({size_});
    gradients_ = Arena::zeros({size_});
    adopt();
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  Model(Model&&) = default;
  Model& operator=(Model&&) = default;

  template <class... Args>
  auto operator()(Args&&... args) const {
    return net_(std::forward<Args>(args)...);
  }
  const Net& net() const { return net_; }

  /// All parameters in the order of the network's `each`.
  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  /// Master weights of all parameters. After writing to them call `weights_changed`.
  Arena& weights() { return weights_; }
  const Arena& weights() const { return weights_; }
  /// Brings what is derived from the weights up to date.
  void weights_changed() {
    if constexpr (has_working) cpu::cast(std::as_const(weights_).data(), working_.data(), size_);
  }
  /// The rounded copy that bf16 parameters read; undefined in other networks.
  Tensor<element, device>& working_weights() { return working_; }
  const Tensor<element, device>& working_weights() const { return working_; }

  /// Gradients since the last optimiser step or `zero_grad`; zero for parameters that got none.
  Arena& gradients() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!*fresh_[i]) continue;
      view(gradients_, i).fill(0);
      *fresh_[i] = false;
    }
    return gradients_;
  }
  /// The next backward overwrites the gradients instead of adding.
  void zero_grad() {
    for (auto const& fresh : fresh_) *fresh = true;
  }

  /// From now on optimiser steps also move an average of the weights, which starts as the weights are now. References
  /// from an earlier `ema` end. Throws Error unless 0 <= decay < 1.
  void track_ema(Ema settings) {
    require(settings.decay >= 0 && settings.decay < 1, "track_ema: given decay ", settings.decay,
            ", wanted 0 <= decay < 1");
    drop_ema();
    average_ = {settings, 0, weights_.clone()};
  }
  void drop_ema() {
    average_ = {};
    ema_net_.reset();
    ema_working_ = {};
    ema_stale_ = true;
  }
  bool has_ema() const { return average_.weights.defined(); }
  /// For optimisers and checkpoints; its arena may be written to.
  EmaState<Arena>& ema_state() {
    ema_stale_ = true;
    return average_;
  }
  const EmaState<Arena>& ema_state() const { return average_; }

  /// The network with averaged weights, for sampling: it reads the average, so it follows later steps (in bf16, after
  /// the next call of `ema`). Buffers are those of the trained network. Throws Error without `track_ema`.
  const Net& ema() const {
    require(has_ema(), "ema: the model keeps no average of its weights; call track_ema before training");
    if constexpr (has_working) {
      if (!ema_working_.defined()) ema_working_ = Tensor<element, device>::zeros({size_});
      if (ema_stale_) cpu::cast(std::as_const(average_.weights).data(), ema_working_.data(), size_);
      ema_stale_ = false;
    }
    if (!ema_net_) {
      ema_net_.emplace(net_);
      std::size_t i = 0;
      for_each_leaf(*ema_net_, [&]<class Leaf>(const std::string&, Leaf& leaf) {
        if constexpr (requires { leaf.var; })
          leaf.var = Var<typename Leaf::element, device>(
              value_view<typename Leaf::element>(average_.weights, ema_working_, i++));
      });
    }
    return *ema_net_;
  }

  OptimizerState<Arena>& optimizer_state() { return optimizer_; }
  const OptimizerState<Arena>& optimizer_state() const { return optimizer_; }
  /// The state of an optimiser of `kind` with `moments` arenas, made at its first step. Throws Error if the model holds
  /// the state of another kind.
  OptimizerState<Arena>& optimizer_state(const std::string& kind, std::size_t moments) {
    if (optimizer_.kind.empty()) {
      optimizer_.kind = kind;
      for (std::size_t i = 0; i < moments; ++i) optimizer_.moments.push_back(Arena::zeros({size_}));
    }
    require(optimizer_.kind == kind, kind, ": the model holds the moments of ", optimizer_.kind,
            "; to change the optimiser call reset_optimizer first");
    return optimizer_;
  }
  /// Forgets all moments.
  void reset_optimizer() { optimizer_ = {}; }

  /// The part of an arena that belongs to parameter `i`, in its shape.
  template <Element U>
  Tensor<U, device> view(const Tensor<U, device>& arena, std::size_t i) const {
    return arena.view(parameters_[i].offset, parameters_[i].shape);
  }
  /// Name of the first parameter whose part of `arena` holds a NaN or an infinity; empty if there is none.
  std::string first_non_finite(const Arena& arena) const {
    if (std::isfinite(cpu::sum_of_squares(arena.data(), arena.size()))) return {};
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      auto const part = view(arena, i);
      for (master const value : part.span())
        if (!std::isfinite(value)) return parameters_[i].name;
    }
    return {};
  }

  /// A model is a layer around its network.
  static void each(auto& self, auto&& f) { f("", self.net_); }

 private:
  static constexpr Index alignment = 32;  // elements: 64 bytes of bf16, and whole vectors everywhere

  void plan() {
    for_each_leaf(net_, [&]<class Leaf>(const std::string& name, Leaf& leaf) {
      if constexpr (requires { leaf.var; }) {
        using U = typename Leaf::element;
        static_assert(std::same_as<U, element> || std::same_as<U, master>,
                      "parameters are of the network's element type or of its accumulation type");
        auto const tied = std::find(sinks_.begin(), sinks_.end(), leaf.var.sink());
        auto const first = static_cast<std::size_t>(tied - sinks_.begin());
        bool const is_new = leaf.var.sink() == nullptr || tied == sinks_.end();
        parameters_.push_back({name, is_new ? size_ : parameters_[first].offset, leaf.var.shape(), leaf.layout});
        if (is_new) size_ += (std::max<Index>(1, leaf.var.value().size()) + alignment - 1) / alignment * alignment;
        sinks_.push_back(leaf.var.sink());
      }
    });
  }

  // Moves every value into the arena and gives it a leaf of its own there.
  void adopt() {
    std::size_t i = 0;
    for_each_leaf(net_, [&]<class Leaf>(const std::string&, Leaf& leaf) {
      if constexpr (requires { leaf.var; }) {
        using U = typename Leaf::element;
        using Sink = autograd::Sink<U, device>;
        view(weights_, i).copy_from(ops::cast<master>(leaf.var.value()));
        std::size_t first = 0;
        while (parameters_[first].offset != parameters_[i].offset) ++first;
        if (first == i) {
          Var<U, device> var(value_view<U>(weights_, working_, i), true);
          var.sink()->total = view(gradients_, i);
          leaf.var = std::move(var);
        } else {
          leaf.var =
              Var<U, device>(value_view<U>(weights_, working_, i), std::static_pointer_cast<Sink>(sinks_[first]));
        }
        sinks_[i] = leaf.var.sink();
        fresh_.push_back(std::shared_ptr<bool>(leaf.var.sink(), &leaf.var.sink()->fresh));
        ++i;
      } else {
        leaf.value = leaf.value.clone();
      }
    });
    weights_changed();
  }

  // What a parameter of element U reads.
  template <Real U>
  Tensor<U, device> value_view(const Arena& full, const Tensor<element, device>& rounded, std::size_t i) const {
    if constexpr (std::same_as<U, master>)
      return view(full, i);
    else
      return view(rounded, i);
  }

  Net net_;
  std::vector<ParameterInfo> parameters_;
  std::vector<std::shared_ptr<autograd::Node>> sinks_;
  std::vector<std::shared_ptr<bool>> fresh_;
  Index size_ = 0;
  Arena weights_, gradients_;
  Tensor<element, device> working_;
  OptimizerState<Arena> optimizer_;
  EmaState<Arena> average_;
  mutable bool ema_stale_ = true;
  mutable Tensor<element, device> ema_working_;
  mutable std::optional<Net> ema_net_;
};

}  // namespace stipple
