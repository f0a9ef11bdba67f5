// Trainer: the loop around loss, backward and step, with everything that a long run wants besides.
#pragma once

#include <algorithm>
#include <concepts>
#include <limits>
#include <utility>

#include <stipple/train/progress.hpp>
#include <stipple/train/signals.hpp>
#include <stipple/train/trainer_core.hpp>

namespace stipple {

/// Trains a Model. It is a convenience: by hand the same is
///
///     Loader loader{digits, {.batch = 128, .seed = 1}};
///     while (loader.epoch() < 5) {
///       auto const loss = ddpm.loss(net, loader.next().images, rng);
///       loss.backward();
///       adam.step(net);
///     }
///
/// On a GPU the host does not wait for a step before it has put the next one into the stream: the numbers of a step are
/// read then, or at once where something else follows it, such as a checkpoint. A loss or gradient that is not finite
/// changes no weights, and is an Error when it is read.
///
/// A run that was stopped or killed and is resumed from its checkpoint ends with the same bytes as one that was not.
/// For that its random numbers come from the Rng that the loss function is handed (or from `rng()`, or from one that
/// `keep` was told of).
template <class Net, class Optimizer>
class Trainer : public TrainerCore<typename Model<Net>::element, typename Model<Net>::device> {
  using T = typename Model<Net>::element;
  using D = typename Model<Net>::device;
  using Core = TrainerCore<T, D>;

 public:
  /// Starts the moving average where `config.ema` asks for one. The model must outlive the trainer.
  Trainer(Model<Net>& model, Optimizer optimizer, TrainerConfig config = {})
      : Core(model,
             {[&model, optimizer](const StepOptions& options, const UpdateRunner<T, D>& runner) mutable {
                return optimizer.step(model, options, runner);
              },
              optimizer.config.learning_rate, detail::optimizer_configuration(optimizer)},
             std::move(config)) {}

  /// Trains until `epochs` epochs are done in all, those before a resume included. `loss(batch, rng)` or `loss(batch)`
  /// returns a Var with one element. Throws Error when a loss is not finite, or for more epochs than steps can be
  /// counted.
  template <class Dataset, class Loss>
  TrainingResult fit(const Dataset& dataset, std::int64_t epochs, const Loss& loss) {
    auto loader = make_loader(dataset);
    std::int64_t const per_epoch = loader.batches_per_epoch();
    auto const most = (std::numeric_limits<std::int64_t>::max() - this->step()) / per_epoch;
    require(epochs <= most, "fit: given ", epochs, " epochs of ", per_epoch, " batches, wanted at most ", most);
    auto const left = epochs <= 0 ? 0 : std::max<std::int64_t>(0, epochs * per_epoch - loader.taken());
    return run_batches(this->step() + left, loader, loss);
  }
  /// The same until `steps` steps are done in all.
  template <class Dataset, class Loss>
  TrainingResult fit_steps(const Dataset& dataset, std::int64_t steps, const Loss& loss) {
    auto loader = make_loader(dataset);
    return run_batches(steps, loader, loss);
  }
  /// The same without a data set: `loss(rng)` or `loss()` makes its own batches.
  template <class Loss>
  TrainingResult train(std::int64_t steps, const Loss& loss) {
    return this->run(steps, 0, [&] {
      if constexpr (std::invocable<const Loss&, Rng&>)
        return detail::loss_value<T, D>(loss(this->rng()));
      else
        return detail::loss_value<T, D>(loss());
    });
  }

 private:
  template <class Dataset>
  Loader<Dataset> make_loader(const Dataset& dataset) const {
    Loader<Dataset> loader(dataset, this->loader_config());
    loader.seek(this->batches_taken(loader.batches_per_epoch()));
    return loader;
  }
  template <class Dataset, class Loss>
  TrainingResult run_batches(std::int64_t last_step, Loader<Dataset>& loader, const Loss& loss) {
    return this->run(last_step, loader.batches_per_epoch(), [&] {
      auto const batch = loader.next();
      if constexpr (std::invocable<const Loss&, const typename Dataset::Batch&, Rng&>)
        return detail::loss_value<T, D>(loss(batch, this->rng()));
      else
        return detail::loss_value<T, D>(loss(batch));
    });
  }
};

}  // namespace stipple
