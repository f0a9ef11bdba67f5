// What every Trainer does, whatever network and optimiser it has.
#pragma once

#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <stipple/autograd/mode.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/data/loader.hpp>
#include <stipple/io/checkpoint.hpp>
#include <stipple/train/bound.hpp>
#include <stipple/train/progress.hpp>
#include <stipple/train/run_folder.hpp>
#include <stipple/train/trainer_config.hpp>

namespace stipple {

/// All of a Trainer that depends neither on the network's type nor on the optimiser's.
template <Real T, Device D>
class TrainerCore {
 public:
  TrainerCore(const TrainerCore&) = delete;
  TrainerCore& operator=(const TrainerCore&) = delete;

  /// Called every `validate_every` steps with the step; what it returns goes to the log.
  ///
  /// If one of the two throws, the run is saved in `out` before the exception goes on, an Error with words about that.
  /// After a resume, or in the next call, training first calls them again for that step.
  std::function<double(std::int64_t)> validate;
  /// Called every `sample_every` steps, and after the first with `sample_first`, with the step. The seconds in the log
  /// are without it.
  std::function<void(std::int64_t)> sample;

  /// The random numbers of this run; dropout takes its masks from it as well.
  Rng& rng() { return rng_; }
  /// Saves and resumes another Rng with the run. It must outlive the trainer.
  void keep(Rng& rng) { kept_.push_back(&rng); }
  std::int64_t step() const { return state_.step; }
  /// Mean loss of each epoch that is done, those before a resume included.
  const std::vector<double>& epoch_losses() const { return state_.epoch_losses; }
  FilePath checkpoint_path() const { return folder_.checkpoint(); }

  /// Makes `out` the folder of this run. Files of another run that are there (checkpoints, log and `results` of the
  /// configuration) are moved to its new subfolder earlier-1, or the next number that is free; returns which those
  /// were. Nothing is moved after a resume from there. Training and `save` begin with this; programs that write into
  /// the folder themselves call it before. From this or a resume there until the trainer's end the folder is locked;
  /// throws Error if another trainer, of any process, has it.
  std::optional<EarlierRun> open_folder();
  /// Writes a checkpoint to `checkpoint_path`. Throws Error, and leaves the old one, if a weight is not finite.
  void save();
  /// Goes on from a checkpoint: a file, or a folder with "checkpoint.safetensors"; without one, that of `out`. Throws
  /// Error, and changes nothing, if it is damaged, of another network or other settings, or one that was kept without
  /// the optimiser's state.
  void resume(FilePath path = {});

 protected:
  TrainerCore(ModelState<T, D>& model, detail::BoundOptimizer<T, D> optimizer, TrainerConfig config);
  ~TrainerCore() = default;

  LoaderConfig loader_config() const;
  /// Batches that the run has taken of a data set with this many an epoch. Throws Error if it is beyond an epoch's end.
  std::int64_t batches_taken(Index batches_per_epoch) const;
  TrainingResult run(std::int64_t last_step, Index steps_per_epoch,
                     const std::function<detail::LossValue<T, D>()>& next_loss);

 private:
  using Clock = std::chrono::steady_clock;

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
  bool wants_checkpoint() const;
  bool wants_samples() const { return is_due(config_.sample_every) || (config_.sample_first && state_.step == 1); }
  // Reads the loss, checks it and adds it to the epoch's.
  void count(Step& step);
  // Counts the step, and does what follows it.
  void end_step(Step step, Progress& progress, TrainingResult& result);
  void check_loss(double loss, std::int64_t step) const;
  // Calls back, writes the log and the checkpoint to keep. `entry` is what the log is to say of the step.
  void follow(const Json& entry);
  // After a failure in `follow`: saves the step with what is still to follow it; returns words about that.
  std::string save_unfinished(const Json& entry);
  void call_back(Json& entry);
  void write_log(Json entry);
  bool is_due(std::int64_t every) const { return is_due(every, state_.step); }
  static bool is_due(std::int64_t every, std::int64_t step) { return every > 0 && step % every == 0; }
  double factor_at(std::int64_t step) const { return config_.schedule ? config_.schedule(step) : 1; }
  static double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
  // Everything that the numbers of the run depend on from `step` on.
  Json configuration(std::int64_t step) const;

  ModelState<T, D>& model_;
  detail::BoundOptimizer<T, D> optimizer_;
  TrainerConfig config_;
  Rng rng_;
  std::vector<Rng*> kept_;
  detail::RunFolder folder_;
  TrainingState state_;
  Index steps_per_epoch_ = 0;          // of this run; 0 without a data set
  std::optional<Step> begun_;          // on a GPU, the step before the one that is being put into the stream
  Clock::time_point started_, saved_;  // this call, and the last checkpoint or, before the first one, this call
  double sampling_seconds_ = 0;        // of this call
  std::int64_t saved_step_ = -1;
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(train)

#include <algorithm>
#include <cmath>

#include <stipple/train/signals.hpp>

namespace stipple {

template <Real T, Device D>
TrainerCore<T, D>::TrainerCore(ModelState<T, D>& model, detail::BoundOptimizer<T, D> optimizer, TrainerConfig config)
    : model_(model),
      optimizer_(std::move(optimizer)),
      config_(std::move(config)),
      rng_(config_.seed),
      folder_(config_.out, config_.results) {
  if (config_.ema > 0) model_.track_ema({.decay = config_.ema, .warmup = config_.ema_warmup});
  require(
      (config_.checkpoint_every <= 0 && config_.keep_every <= 0 && !config_.checkpoint_samples) || !config_.out.empty(),
      "train: given checkpoint_every ", config_.checkpoint_every, ", keep_every ", config_.keep_every,
      " and checkpoint_samples ", config_.checkpoint_samples, " without a folder `out`");
}

template <Real T, Device D>
void TrainerCore<T, D>::write_checkpoint(const FilePath& path, CheckpointContent content) {
  if (begun_) count(*begun_);
  auto const broken = model_.first_non_finite(model_.weights());
  require(broken.empty(), "checkpoint: the weights of '", broken, "' are not finite after step ", state_.step);
  state_.rngs = {rng_};
  for (const Rng* const rng : kept_) state_.rngs.push_back(*rng);
  state_.configuration = configuration(state_.step);
  folder_.sync();
  save_checkpoint(path, model_, state_, content);
}

template <Real T, Device D>
void TrainerCore<T, D>::save() {
  open_folder();
  write_checkpoint(checkpoint_path(), CheckpointContent::everything);
  saved_step_ = state_.step;
  saved_ = Clock::now();
}

template <Real T, Device D>
void TrainerCore<T, D>::resume(FilePath path) {
  if (path.empty()) path = config_.out;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) path /= "checkpoint.safetensors";
  folder_.resume(path, [&] {
    auto const saved = read_training_state(path);
    require(saved.step == 0 || saved.has_optimizer, "resume: ", detail::quoted(path),
            " is kept for sampling, without the optimiser's state, wanted the checkpoint.safetensors of its run");
    require(saved.rngs.size() == 1 + kept_.size(), "resume: ", detail::quoted(path), " holds ", saved.rngs.size(),
            " random states, wanted ", 1 + kept_.size());
    state_ = load_checkpoint(path, model_, configuration(saved.step));
    rng_ = state_.rngs[0];
    for (std::size_t i = 0; i < kept_.size(); ++i) *kept_[i] = state_.rngs[i + 1];
    saved_step_ = state_.step;
  });
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
  Progress progress(state_.step, last_step, config_.quiet, peak_memory<D>);
  started_ = saved_ = Clock::now();
  sampling_seconds_ = 0;
  TrainingResult result;
  steps_per_epoch_ = steps_per_epoch;
  begun_.reset();
  auto const end_begun = [&] {
    if (begun_) end_step(*std::exchange(begun_, {}), progress, result);
  };
  if (!state_.unfinished.is_null()) {
    saved_step_ = -1;
    follow(std::exchange(state_.unfinished, nullptr));
  }
  bool in_time = true;
  while (state_.step < last_step && result.signal == 0 && in_time) {
    auto step = begin_step(next_loss);
    end_begun();
    begun_ = std::move(step);
    bool const saves = wants_checkpoint();
    if (saves || is_followed(*begun_)) end_begun();
    if (saves) save();
    if (signals) result.signal = signals->received();
    in_time = config_.max_seconds <= 0 || seconds_since(started_) < config_.max_seconds;
  }
  end_begun();
  if (!folder_.is_none() && saved_step_ != state_.step) save();
  if (signals) result.signal = signals->received();  // one during the last checkpoint counts too
  result.step = state_.step;
  result.epoch_losses = state_.epoch_losses;
  result.seconds = seconds_since(started_);
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
  return std::same_as<D, Cpu> || step.ends_epoch || is_due(config_.validate_every) || wants_samples() ||
         is_due(config_.keep_every);
}

template <Real T, Device D>
bool TrainerCore<T, D>::wants_checkpoint() const {
  if (config_.checkpoint_samples && wants_samples()) return true;
  if (config_.checkpoint_every > 0) return is_due(config_.checkpoint_every);
  return !folder_.is_none() && seconds_since(saved_) >= config_.checkpoint_seconds;
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
void TrainerCore<T, D>::end_step(Step step, Progress& progress, TrainingResult& result) {
  count(step);
  result.loss = step.loss;
  Json entry = Json::object({{"step", step.number}, {"epoch", step.epoch}, {"loss", step.loss.value()}});
  entry["learning_rate"] = step.learning_rate;
  if (std::isfinite(config_.max_norm)) entry["gradient_norm"] = step.gradient_norm.value();
  if (step.ends_epoch) entry["epoch_loss"] = state_.epoch_losses.back();
  progress.update(step.number, result.loss);
  if (step.number == state_.step)
    follow(entry);
  else
    write_log(std::move(entry));
}

template <Real T, Device D>
void TrainerCore<T, D>::follow(const Json& entry) {
  try {
    auto line = entry;
    call_back(line);
    write_log(std::move(line));
    if (is_due(config_.keep_every))  // before `save`: a run that is killed between the two writes it again
      write_checkpoint(folder_.kept_checkpoint(state_.step), CheckpointContent::no_moments);
  } catch (const Error& error) {
    fail(error.what(), save_unfinished(entry));
  } catch (...) {
    save_unfinished(entry);
    throw;
  }
}

template <Real T, Device D>
std::string TrainerCore<T, D>::save_unfinished(const Json& entry) {
  state_.unfinished = entry;
  folder_.close();  // the log may end with half a line
  if (folder_.is_none()) return "";
  auto const step = std::to_string(state_.step);
  try {
    save();
  } catch (const Error& error) {
    return "; training could not be saved at step " + step + " either: " + error.what();
  }
  return "; training is saved at step " + step + ", from which a resume goes on";
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
  if (!sample || !wants_samples()) return;
  auto const begin = Clock::now();
  sample(state_.step);
  sampling_seconds_ += seconds_since(begin);
}

template <Real T, Device D>
void TrainerCore<T, D>::write_log(Json entry) {
  entry["seconds"] = seconds_since(started_) - sampling_seconds_;
  bool const wanted = entry.contains("validation") || entry.contains("epoch_loss") ||
                      is_due(config_.log_every, entry.at("step").template get<std::int64_t>());
  if (wanted) folder_.append(entry);
}

template <Real T, Device D>
std::optional<EarlierRun> TrainerCore<T, D>::open_folder() {
  return folder_.open(state_.step - (state_.unfinished.is_null() ? 0 : 1));  // what follows a step writes its line
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

}  // namespace stipple

#endif
