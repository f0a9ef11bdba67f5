// What every Trainer does, whatever network and optimiser it has.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <stipple/autograd/mode.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/data/loader.hpp>
#include <stipple/io/checkpoint.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>
#include <stipple/train/progress.hpp>
#include <stipple/train/trainer_config.hpp>

namespace stipple {

namespace detail {

/// One number of which a training step takes the gradient.
template <Real T, Device D>
struct LossValue {
  std::function<LateNumber()> value;
  std::function<void()> backward;
  UpdateRunner<T, D> backward_and_update;
};
/// Of a Var, or of anything else with `value`, a tensor, and `backward`.
template <Real T, Device D, class Loss>
LossValue<T, D> loss_value(const Loss& loss) {
  return {[loss] { return late_item(loss.value()); }, [loss] { loss.backward(); },
          [loss](const OptimizerUpdate<T, D>& update) {
            if constexpr (requires { loss.backward(update); }) {
              loss.backward(update);
            } else {
              loss.backward();
              update.run();
            }
          }};
}

/// An optimiser bound to its model.
template <Real T, Device D>
struct BoundOptimizer {
  std::function<LateNumber(const StepOptions&, const UpdateRunner<T, D>&)> step;
  double learning_rate = 0;
  Json configuration;
};

template <class Optimizer>
Json optimizer_configuration(const Optimizer& optimizer) {
  auto const& c = optimizer.config;
  Json json = Json::object({{"name", Optimizer::name}, {"learning_rate", c.learning_rate}});
  if constexpr (requires { c.weight_decay; }) json["weight_decay"] = c.weight_decay;
  if constexpr (requires { c.amsgrad; }) {
    json["betas"] = Json::array({c.beta1, c.beta2});
    json["epsilon"] = c.epsilon;
    json["amsgrad"] = c.amsgrad;
  }
  if constexpr (requires { c.nesterov; }) {
    json["momentum"] = c.momentum;
    json["nesterov"] = c.nesterov;
  }
  return json;
}

}  // namespace detail

/// All of a Trainer that depends neither on the network's type nor on the optimiser's.
template <Real T, Device D>
class TrainerCore {
 public:
  TrainerCore(const TrainerCore&) = delete;
  TrainerCore& operator=(const TrainerCore&) = delete;

  /// Called every `validate_every` steps with the step; what it returns goes to the log.
  std::function<double(std::int64_t)> validate;
  /// Called every `sample_every` steps with the step.
  std::function<void(std::int64_t)> sample;

  /// The random numbers of this run; dropout takes its masks from it as well.
  Rng& rng() { return rng_; }
  /// Saves and resumes another Rng with the run. It must outlive the trainer.
  void keep(Rng& rng);
  std::int64_t step() const { return state_.step; }
  /// Mean loss of each epoch that is done, those before a resume included.
  const std::vector<double>& epoch_losses() const { return state_.epoch_losses; }
  FilePath checkpoint_path() const;

  /// Writes a checkpoint to `checkpoint_path`. Throws Error, and leaves the old one, if a weight is not finite.
  void save();
  /// Goes on from a checkpoint: a file, or a folder with "checkpoint.safetensors"; without one, that of `out`. Throws
  /// Error, and changes nothing, if it is damaged or of another network or other settings.
  void resume(FilePath path = {});

 protected:
  TrainerCore(ModelState<T, D>& model, detail::BoundOptimizer<T, D> optimizer, TrainerConfig config);
  ~TrainerCore();

  LoaderConfig loader_config() const;
  /// Batches that the run has taken of a data set with this many an epoch. Throws Error if it is beyond an epoch's end.
  std::int64_t batches_taken(Index batches_per_epoch) const;
  TrainingResult run(std::int64_t last_step, Index steps_per_epoch,
                     const std::function<detail::LossValue<T, D>()>& next_loss);

 private:
  // A step whose work is done on the CPU, and put into the stream on a GPU.
  struct Step {
    std::int64_t number = 0, epoch = 0;
    double learning_rate = 0;
    LateNumber loss, gradient_norm;
    bool ends_epoch = false;
    bool counted = false;
  };

  void write_checkpoint(const FilePath& path, CheckpointContent content);
  // Loss, gradients, update.
  Step begin_step(const std::function<detail::LossValue<T, D>()>& next_loss);
  // True if what follows the step wants its numbers, and does not leave them until the next one has begun.
  bool is_followed(const Step& step) const;
  // Reads the loss, checks it and adds it to the epoch's.
  void count(Step& step);
  // Counts the step, calls back and writes the log.
  void end_step(Step step, Progress& progress, const std::function<double()>& seconds, TrainingResult& result);
  void check_loss(double loss, std::int64_t step) const;
  void call_back(Json& entry);
  bool is_due(std::int64_t every) const { return is_due(every, state_.step); }
  static bool is_due(std::int64_t every, std::int64_t step) { return every > 0 && step % every == 0; }
  double factor_at(std::int64_t step) const { return config_.schedule ? config_.schedule(step) : 1; }
  void open_folder();
  // Everything that the numbers of the run depend on from `step` on.
  Json configuration(std::int64_t step) const;

  ModelState<T, D>& model_;
  detail::BoundOptimizer<T, D> optimizer_;
  TrainerConfig config_;
  Rng rng_;
  std::vector<Rng*> kept_;
  TrainingState state_;
  Index steps_per_epoch_ = 0;  // of this run; 0 without a data set
  std::optional<Step> begun_;  // on a GPU, the step before the one that is being put into the stream
  std::int64_t saved_step_ = -1;
  std::optional<JsonLog> log_;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(train)

#include <algorithm>
#include <chrono>
#include <cmath>

#include <stipple/train/signals.hpp>

namespace stipple {

template <Real T, Device D>
TrainerCore<T, D>::TrainerCore(ModelState<T, D>& model, detail::BoundOptimizer<T, D> optimizer, TrainerConfig config)
    : model_(model), optimizer_(std::move(optimizer)), config_(std::move(config)), rng_(config_.seed) {
  if (config_.ema > 0) model_.track_ema({.decay = config_.ema, .warmup = config_.ema_warmup});
  require((config_.checkpoint_every <= 0 && config_.keep_every <= 0) || !config_.out.empty(),
          "train: given checkpoint_every ", config_.checkpoint_every, " and keep_every ", config_.keep_every,
          " without a folder `out`");
}
template <Real T, Device D>
TrainerCore<T, D>::~TrainerCore() = default;

template <Real T, Device D>
void TrainerCore<T, D>::keep(Rng& rng) {
  kept_.push_back(&rng);
}

template <Real T, Device D>
FilePath TrainerCore<T, D>::checkpoint_path() const {
  return config_.out / "checkpoint.safetensors";
}

template <Real T, Device D>
void TrainerCore<T, D>::write_checkpoint(const FilePath& path, CheckpointContent content) {
  if (begun_) count(*begun_);
  auto const broken = model_.first_non_finite(model_.weights());
  require(broken.empty(), "checkpoint: the weights of '", broken, "' are not finite after step ", state_.step);
  state_.rngs = {rng_};
  for (const Rng* const rng : kept_) state_.rngs.push_back(*rng);
  state_.configuration = configuration(state_.step);
  save_checkpoint(path, model_, state_, content);
}

template <Real T, Device D>
void TrainerCore<T, D>::save() {
  write_checkpoint(checkpoint_path(), CheckpointContent::everything);
  saved_step_ = state_.step;
}

template <Real T, Device D>
void TrainerCore<T, D>::resume(FilePath path) {
  if (path.empty()) path = config_.out;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) path /= "checkpoint.safetensors";
  auto const saved = read_training_state(path);
  require(saved.rngs.size() == 1 + kept_.size(), "resume: ", detail::quoted(path), " holds ", saved.rngs.size(),
          " random states, wanted ", 1 + kept_.size());
  state_ = load_checkpoint(path, model_, configuration(saved.step));
  rng_ = state_.rngs[0];
  for (std::size_t i = 0; i < kept_.size(); ++i) *kept_[i] = state_.rngs[i + 1];
  saved_step_ = state_.step;
}

template <Real T, Device D>
LoaderConfig TrainerCore<T, D>::loader_config() const {
  return {.batch = config_.batch,
          .shuffle = config_.shuffle,
          .flip = config_.flip,
          .drop_last = config_.drop_last,
          .seed = config_.seed};
}

template <Real T, Device D>
std::int64_t TrainerCore<T, D>::batches_taken(Index batches_per_epoch) const {
  require(state_.position < batches_per_epoch, "fit: the run is at batch ", state_.position,
          " of an epoch, but this data set has ", batches_per_epoch);
  return state_.epoch * batches_per_epoch + state_.position;
}

template <Real T, Device D>
TrainingResult TrainerCore<T, D>::run(std::int64_t last_step, Index steps_per_epoch,
                                      const std::function<detail::LossValue<T, D>()>& next_loss) {
  open_folder();
  std::optional<StopSignals> signals;
  if (config_.catch_signals) signals.emplace();
  Progress progress(state_.step, last_step, config_.quiet);
  auto const start = std::chrono::steady_clock::now();
  auto const seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  TrainingResult result;
  steps_per_epoch_ = steps_per_epoch;
  begun_.reset();
  auto const end_begun = [&] {
    if (begun_) end_step(*std::exchange(begun_, {}), progress, seconds, result);
  };
  bool in_time = true;
  while (state_.step < last_step && result.signal == 0 && in_time) {
    auto step = begin_step(next_loss);
    end_begun();
    begun_ = std::move(step);
    if (is_followed(*begun_)) end_begun();
    if (is_due(config_.keep_every))  // before `save`: a run that is killed between the two writes it again
      write_checkpoint(config_.out / ("checkpoint-" + std::to_string(state_.step) + ".safetensors"),
                       CheckpointContent::no_moments);
    if (is_due(config_.checkpoint_every)) save();
    if (signals) result.signal = signals->received();
    in_time = config_.max_seconds <= 0 || seconds() < config_.max_seconds;
  }
  end_begun();
  if (!config_.out.empty() && saved_step_ != state_.step) save();
  result.step = state_.step;
  result.epoch_losses = state_.epoch_losses;
  result.seconds = seconds();
  return result;
}

template <Real T, Device D>
typename TrainerCore<T, D>::Step TrainerCore<T, D>::begin_step(
    const std::function<detail::LossValue<T, D>()>& next_loss) {
  Training const training(rng_);
  model_.zero_grad();  // those of a step that failed
  auto const loss = next_loss();
  double const factor = factor_at(state_.step);
  Step step;
  step.number = state_.step + 1;
  step.epoch = state_.epoch;
  step.learning_rate = optimizer_.learning_rate * factor;
  StepOptions options{.learning_rate_factor = factor, .max_norm = config_.max_norm};
  if constexpr (std::same_as<D, Cpu>) {
    loss.backward();
    step.loss = loss.value();
    check_loss(step.loss, step.number);
    step.gradient_norm = optimizer_.step(options, {});
  } else {  // without a limit the norm is looked at all the same, so that weights survive a loss that is not finite
    options.max_norm = std::min(options.max_norm, std::numeric_limits<double>::max());
    step.gradient_norm = optimizer_.step(options, loss.backward_and_update);
    step.loss = loss.value();
  }
  ++state_.step;
  if (steps_per_epoch_ > 0 && ++state_.position == steps_per_epoch_) {
    step.ends_epoch = true;
    ++state_.epoch;
    state_.position = 0;
  }
  return step;
}

template <Real T, Device D>
bool TrainerCore<T, D>::is_followed(const Step& step) const {
  return std::same_as<D, Cpu> || step.ends_epoch || is_due(config_.validate_every) || is_due(config_.sample_every) ||
         is_due(config_.keep_every) || is_due(config_.checkpoint_every);
}

template <Real T, Device D>
void TrainerCore<T, D>::count(Step& step) {
  if (std::exchange(step.counted, true)) return;
  check_loss(step.loss, step.number);
  (void)step.gradient_norm.value();  // which is checked by that
  if (steps_per_epoch_ == 0) return;
  state_.loss_sum += step.loss;
  if (!step.ends_epoch) return;
  state_.epoch_losses.push_back(state_.loss_sum / static_cast<double>(steps_per_epoch_));
  state_.loss_sum = 0;
}

template <Real T, Device D>
void TrainerCore<T, D>::end_step(Step step, Progress& progress, const std::function<double()>& seconds,
                                 TrainingResult& result) {
  count(step);
  result.loss = step.loss;
  Json entry = Json::object({{"step", step.number}, {"epoch", step.epoch}, {"loss", step.loss.value()}});
  entry["learning_rate"] = step.learning_rate;
  if (std::isfinite(config_.max_norm)) entry["gradient_norm"] = step.gradient_norm.value();
  if (step.ends_epoch) entry["epoch_loss"] = state_.epoch_losses.back();
  progress.update(step.number, result.loss);
  if (step.number == state_.step) call_back(entry);
  entry["seconds"] = seconds();
  if (log_ && (is_due(config_.log_every, step.number) || entry.contains("validation") || step.ends_epoch))
    log_->append(entry);
}

template <Real T, Device D>
void TrainerCore<T, D>::check_loss(double loss, std::int64_t step) const {
  if (std::isfinite(loss)) return;
  auto const broken = model_.first_non_finite(model_.weights());
  fail("train: the loss of step ", step, " is ", std::isnan(loss) ? "not a number" : "infinite", "; ",
       broken.empty() ? "all weights are finite: look at the data and the loss"
                      : "the first weights that are not finite are those of '" + broken +
                            "': lower the learning rate or set max_norm");
}

template <Real T, Device D>
void TrainerCore<T, D>::call_back(Json& entry) {
  NoGrad const no_grad;
  if (validate && is_due(config_.validate_every)) entry["validation"] = validate(state_.step);
  if (sample && is_due(config_.sample_every)) sample(state_.step);
}

template <Real T, Device D>
void TrainerCore<T, D>::open_folder() {
  if (config_.out.empty() || log_) return;
  std::error_code error;
  std::filesystem::create_directories(config_.out, error);
  require(!error, "train: cannot create the folder ", detail::quoted(config_.out), ": ", error.message());
  auto const path = config_.out / "log.jsonl";
  log_ = state_.step > 0 ? JsonLog::resume(path, state_.step) : JsonLog::create(path);
}

template <Real T, Device D>
Json TrainerCore<T, D>::configuration(std::int64_t step) const {
  auto const& c = config_;
  return Json::object({{"precision", dtype_name<T>()},
                       {"optimizer", optimizer_.configuration},
                       {"learning_rate_factor", factor_at(step)},
                       {"max_norm", c.max_norm},
                       {"batch", c.batch},
                       {"seed", std::to_string(c.seed)},
                       {"shuffle", c.shuffle},
                       {"flip", c.flip},
                       {"drop_last", c.drop_last},
                       {"ema", c.ema},
                       {"ema_warmup", c.ema_warmup},
                       {"program", c.configuration}});
}

#define STIPPLE_INSTANCES(T, D) template class TrainerCore<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES
STIPPLE_INSTANTIATE_CPU(template Json detail::optimizer_configuration(const Adam&);
                        template Json detail::optimizer_configuration(const AdamW&);
                        template Json detail::optimizer_configuration(const Sgd&);)

}  // namespace stipple

#else

namespace stipple::detail {
extern template Json optimizer_configuration(const Adam&);
extern template Json optimizer_configuration(const AdamW&);
extern template Json optimizer_configuration(const Sgd&);
}  // namespace stipple::detail

#endif
