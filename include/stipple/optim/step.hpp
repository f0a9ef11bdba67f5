// What the steps of all optimisers have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>

#include <stipple/backend/optimizer_update.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/optim/clip.hpp>
#include <stipple/tensor/late_number.hpp>

namespace stipple {

/// Options of one optimiser step.
struct StepOptions {
  double learning_rate_factor = 1;  ///< from a schedule
  /// Gradients are scaled down to this norm, as by `clip_grad_norm`.
  double max_norm = std::numeric_limits<double>::infinity();
};

/// What an update reads and writes beside the gradients.
template <class C, Device D>
struct UpdatePlaces {
  OptimizerArrays<C, D> arrays;
  typename D::template pointer<const std::uint8_t> settings = nullptr;
  double max_norm = std::numeric_limits<double>::infinity();

  bool operator==(const UpdatePlaces&) const = default;
};

/// What a device does in a step of an optimiser, once there are gradients. Updates of the same places do the same, with
/// settings that are on the device before they run: one of them that was recorded stands for all.
template <Real T, Device D>
struct OptimizerUpdate {
  std::function<void()> run;
  UpdatePlaces<accumulate_t<T>, D> places;
};

/// How the device's part of a step is run. Empty: by `run`.
template <Real T, Device D>
using UpdateRunner = std::function<void(const OptimizerUpdate<T, D>&)>;

}  // namespace stipple

#if STIPPLE_DEFINES(optim)

#include <stipple/backend/cpu/optimizer.hpp>

namespace stipple {

namespace detail {

/// The norm of the gradient that clip_norm found. On the CPU it was checked, on a GPU it is when somebody asks for it:
/// the gradients may be those of later steps then.
template <Device D>
LateNumber checked_norm(const Tensor<double, D>& clipped) {
  auto const norm = late_item(clipped.view(0, {1}));
  if constexpr (std::same_as<D, Cpu>) return norm;
  return LateNumber([norm] {
    require(std::isfinite(norm.value()),
            "gradient_norm: the gradient is not finite, so the step changed nothing; lower the learning rate or look "
            "at the loss");
    return norm.value();
  });
}

/// One step of optimiser `kind`, the `steps`th: `settings(steps, average_rate)` are those of the update, which
/// `apply(settings, arrays, n)` does to the arenas. The step leaves the gradients used up. Returns the norm of the
/// gradient if it was asked for by `max_norm`, 0 otherwise.
template <Real T, Device D, class Settings, class Apply>
LateNumber optimizer_step(ModelState<T, D>& model, const std::string& kind, std::size_t moments,
                          const StepOptions& options, const UpdateRunner<T, D>& runner, const Settings& settings,
                          const Apply& apply) {
  bool const clips = options.max_norm != std::numeric_limits<double>::infinity();
  if (clips) check_max_norm(options.max_norm);
  auto& state = model.optimizer_state(kind, moments);
  OptimizerUpdate<T, D> update;
  update.places.max_norm = options.max_norm;
  auto& arrays = update.places.arrays;
  for (std::size_t i = 0; i < moments; ++i) arrays.moments[i] = state.moments[i].data();
  arrays.weights = model.weights().data();
  if (clips) arrays.gradient_scale = std::as_const(state.clipped).data() + 1;
  if constexpr (ModelState<T, D>::has_working) arrays.working = model.working_weights().data();
  double average_rate = 0;
  if (model.has_ema()) {
    auto& average = model.ema_state();
    arrays.average = average.weights.data();
    average_rate = 1 - average.settings.decay_at(average.updates);
  }
  auto const values = settings(static_cast<double>(state.steps + 1), average_rate);
  using Values = std::remove_const_t<decltype(values)>;
  static_assert(std::is_trivially_copyable_v<Values> &&
                sizeof(Values) <= OptimizerState<accumulate_t<T>, D>::settings_bytes);
  Memory<D>::copy_from_host(address_of(state.settings.data()), &values, sizeof values);
  update.places.settings = std::as_const(state.settings).data();
  update.run = [&model, &state, &apply, arrays, max_norm = options.max_norm, clips] {
    auto all = arrays;
    Index const n = model.weights().size();
    std::vector<ArenaPiece<accumulate_t<T>>> pieces;
    if constexpr (std::same_as<D, Cpu>) {
      pieces = model.gradient_pieces();
      all.gradient_pieces = &pieces;
      if (clips) {
        cpu::clip_norm(all, n, max_norm, state.clipped.data());
        require_finite_norm(model, state.clipped.data()[0]);
      }
    } else {
      all.gradients = std::as_const(model.gradients()).data();
      if (clips) clip_norm(all.gradients, n, max_norm, state.clipped.data());
    }
    typename D::template pointer<const Values> const at(
        reinterpret_cast<const Values*>(address_of(state.settings.data())));
    apply(at, all, n);
  };
  if (runner)
    runner(update);
  else
    update.run();
  ++state.steps;
  if (model.has_ema()) ++model.ema_state().updates;
  model.zero_grad();
  return clips ? checked_norm(state.clipped) : LateNumber(0);
}

/// Throws Error unless low <= value, and value < high where there is a bound.
inline void check_setting(const char* optimizer, const char* name, double value,
                          double high = std::numeric_limits<double>::infinity()) {
  require(value >= 0 && value < high, optimizer, ": given ", name, " ", value, ", wanted 0 <= ", name,
          high < std::numeric_limits<double>::infinity() ? " < 1" : "");
}

}  // namespace detail

}  // namespace stipple

#endif
