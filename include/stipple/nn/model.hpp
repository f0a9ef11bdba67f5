// Model<Net>: a network with the arenas of its parameters and all that training adds to them.
#pragma once

#include <optional>
#include <utility>

#include <stipple/nn/model_state.hpp>

namespace stipple {

/// Owns a network and its training state.
///
///     Model net{Unet<bf16, Cpu>(64, rng)};
///     ...
///     loss.backward();
///     adam.step(net);  // the next backward starts from zero gradients
///
/// Weights and all that optimisers add are arenas in the accumulation type, with every parameter at a multiple of 64
/// bytes and zeros between; so are gradients that are asked for. In a bf16 network, parameters of element bf16 read a
/// rounded working copy that each optimiser step renews; parameters of element float read the arena itself. Parameters
/// that share one value before (tied weights) share it after.
template <class Net>
class Model : public ModelState<typename NetTypes<Net>::element, typename NetTypes<Net>::device> {
 public:
  explicit Model(Net net) : net_(std::move(net)) { this->adopt(leaves_of<typename Model::device>(net_)); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  Model(Model&&) = default;
  Model& operator=(Model&&) = default;

  template <class... Args>
  auto operator()(Args&&... args) const {
    return net_(std::forward<Args>(args)...);
  }
  const Net& net() const { return net_; }

  /// The network with averaged weights, for sampling: it reads the average, so it follows later steps (in bf16, after
  /// the next call of `ema`). Buffers are those of the trained network. Throws Error without `track_ema`.
  const Net& ema() const {
    if (this->renew_average() || !ema_net_) {
      ema_net_.emplace(net_);
      this->read_average(leaves_of<typename Model::device>(*ema_net_));
    }
    return *ema_net_;
  }

  /// A model is a layer around its network.
  static void each(auto& self, auto&& f) { f("", self.net_); }

 private:
  Net net_;
  mutable std::optional<Net> ema_net_;
};

}  // namespace stipple
