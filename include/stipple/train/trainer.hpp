// Trainer: the loop around loss, backward and step, with everything that a long run wants besides.
#pragma once

#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <stipple/autograd/mode.hpp>
#include <stipple/data/loader.hpp>
#include <stipple/io/checkpoint.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/sgd.hpp>
#include <stipple/train/progress.hpp>
#include <stipple/train/signals.hpp>

namespace stipple {

struct TrainerConfig {
  Index batch = 128;
  double ema = 0;  ///< decay of the moving average of the weights; 0: none is kept
  bool ema_warmup = false;
  FilePath out{};  ///< folder of log.jsonl and checkpoint.safetensors; empty: nothing is written
  std::uint64_t seed = 0;
  bool shuffle = true;
  bool flip = false;
  bool drop_last = false;
  std::function<double(std::int64_t)> schedule{};             ///< factor of the learning rate at step 0, 1, ...
  double max_norm = std::numeric_limits<double>::infinity();  ///< of the gradient
  std::int64_t checkpoint_every = 0;                          ///< steps; 0: at the end alone. So are the next ones
  std::int64_t validate_every = 0;
  std::int64_t sample_every = 0;
  std::int64_t log_every = 1;
  double max_seconds = 0;               ///< ends the run after the step that reaches it, with a checkpoint; 0: never
  bool quiet = false;                   ///< shows no progress
  bool catch_signals = true;            ///< SIGINT and SIGTERM end the run after the step, with a checkpoint
  Json configuration = Json::object();  ///< what else makes this run what it is; a resume wants the same
};

/// How a run ended.
struct TrainingResult {
  std::int64_t step = 0;             ///< steps done in all
  double loss = 0;                   ///< of the last step
  std::vector<double> epoch_losses;  ///< mean loss of each epoch
  double seconds = 0;                ///< of this call
  int signal = 0;                    ///< that ended it, or 0
};

/// Trains a Model. It is a convenience: by hand the same is
///
///     Loader loader{digits, {.batch = 128, .seed = 1}};
///     while (loader.epoch() < 5) {
///       auto const loss = ddpm.loss(net, loader.next().images, rng);
///       loss.backward();
///       adam.step(net);
///     }
///
/// A run that was stopped or killed and is resumed from its checkpoint ends with the same bytes as one that was not.
/// For that its random numbers come from the Rng that the loss function is handed (or from `rng()`, or from one that
/// `keep` was told of).
template <class Net, class Optimizer>
class Trainer {
 public:
  /// Starts the moving average where `config.ema` asks for one. The model must outlive the trainer.
  Trainer(Model<Net>& model, Optimizer optimizer, TrainerConfig config = {})
      : model_(model), optimizer_(std::move(optimizer)), config_(std::move(config)), rng_(config_.seed) {
    if (config_.ema > 0) model_.track_ema({.decay = config_.ema, .warmup = config_.ema_warmup});
    require(config_.checkpoint_every <= 0 || !config_.out.empty(), "train: given checkpoint_every ",
            config_.checkpoint_every, " without a folder `out`");
  }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Called every `validate_every` steps with the step; what it returns goes to the log.
  std::function<double(std::int64_t)> validate;
  /// Called every `sample_every` steps with the step.
  std::function<void(std::int64_t)> sample;

  /// The random numbers of this run; dropout takes its masks from it as well.
  Rng& rng() { return rng_; }
  /// Saves and resumes another Rng with the run. It must outlive the trainer.
  void keep(Rng& rng) { kept_.push_back(&rng); }
  std::int64_t step() const { return state_.step; }
  FilePath checkpoint_path() const { return config_.out / "checkpoint.safetensors"; }

  /// Trains until `epochs` epochs are done in all, those before a resume included. `loss(batch, rng)` or `loss(batch)`
  /// returns a Var with one element. Throws Error when a loss is not finite.
  template <class Dataset, class Loss>
  TrainingResult fit(const Dataset& dataset, std::int64_t epochs, const Loss& loss) {
    auto loader = make_loader(dataset);
    std::int64_t const batches = epochs * loader.batches_per_epoch();
    return run(state_.step + std::max<std::int64_t>(0, batches - loader.taken()), loader.batches_per_epoch(),
               [&] { return loss_of_batch(loss, loader.next()); });
  }
  /// The same until `steps` steps are done in all.
  template <class Dataset, class Loss>
  TrainingResult fit_steps(const Dataset& dataset, std::int64_t steps, const Loss& loss) {
    auto loader = make_loader(dataset);
    return run(steps, loader.batches_per_epoch(), [&] { return loss_of_batch(loss, loader.next()); });
  }
  /// The same without a data set: `loss(rng)` or `loss()` makes its own batches.
  template <class Loss>
  TrainingResult train(std::int64_t steps, const Loss& loss) {
    return run(steps, 0, [&] {
      if constexpr (std::invocable<const Loss&, Rng&>)
        return loss(rng_);
      else
        return loss();
    });
  }

  /// Writes a checkpoint to `checkpoint_path`. Throws Error, and leaves the old one, if a weight is not finite.
  void save() {
    auto const broken = model_.first_non_finite(model_.weights());
    require(broken.empty(), "checkpoint: the weights of '", broken, "' are not finite after step ", state_.step);
    state_.rngs = {rng_};
    for (const Rng* const rng : kept_) state_.rngs.push_back(*rng);
    state_.configuration = configuration(state_.step);
    save_checkpoint(checkpoint_path(), model_, state_);
    saved_step_ = state_.step;
  }

  /// Goes on from a checkpoint: a file, or a folder with "checkpoint.safetensors"; without one, that of `out`. Throws
  /// Error, and changes nothing, if it is damaged or of another network or other settings.
  void resume(FilePath path = {}) {
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

 private:
  using Clock = std::chrono::steady_clock;

  template <class Dataset>
  Loader<Dataset> make_loader(const Dataset& dataset) const {
    Loader<Dataset> loader(dataset, {.batch = config_.batch,
                                     .shuffle = config_.shuffle,
                                     .flip = config_.flip,
                                     .drop_last = config_.drop_last,
                                     .seed = config_.seed});
    require(state_.position < loader.batches_per_epoch(), "fit: the run is at batch ", state_.position,
            " of an epoch, but this data set has ", loader.batches_per_epoch());
    loader.seek(state_.epoch * loader.batches_per_epoch() + state_.position);
    return loader;
  }
  template <class Loss, class Batch>
  auto loss_of_batch(const Loss& loss, const Batch& batch) {
    if constexpr (std::invocable<const Loss&, const Batch&, Rng&>)
      return loss(batch, rng_);
    else
      return loss(batch);
  }

  template <class NextLoss>
  TrainingResult run(std::int64_t last_step, Index steps_per_epoch, const NextLoss& next_loss) {
    open_folder();
    std::optional<StopSignals> signals;
    if (config_.catch_signals) signals.emplace();
    Progress progress(state_.step, last_step, config_.quiet);
    auto const start = Clock::now();
    auto const seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    TrainingResult result;
    bool in_time = true;
    while (state_.step < last_step && result.signal == 0 && in_time) {
      Json entry = one_step(next_loss);
      result.loss = entry.at("loss").get<double>();
      count_epoch(entry, result.loss, steps_per_epoch);
      progress.update(state_.step, result.loss);
      call_back(entry);
      entry["seconds"] = seconds();
      if (log_ && (is_due(config_.log_every) || entry.contains("validation") || entry.contains("epoch_loss")))
        log_->append(entry);
      if (is_due(config_.checkpoint_every)) save();
      if (signals) result.signal = signals->received();
      in_time = config_.max_seconds <= 0 || seconds() < config_.max_seconds;
    }
    if (!config_.out.empty() && saved_step_ != state_.step) save();
    result.step = state_.step;
    result.epoch_losses = state_.epoch_losses;
    result.seconds = seconds();
    return result;
  }

  // Loss, gradients, update. Returns the entry for the log.
  template <class NextLoss>
  Json one_step(const NextLoss& next_loss) {
    Training const training(rng_);
    auto const loss = next_loss();
    auto const value = static_cast<double>(loss.item());
    if (!std::isfinite(value)) fail_at(value);
    loss.backward();
    double const factor = factor_at(state_.step);
    double const norm = optimizer_.step(model_, {.learning_rate_factor = factor, .max_norm = config_.max_norm});
    ++state_.step;
    Json entry = Json::object({{"step", state_.step}, {"epoch", state_.epoch}, {"loss", value}});
    entry["learning_rate"] = optimizer_.config.learning_rate * factor;
    if (std::isfinite(config_.max_norm)) entry["gradient_norm"] = norm;
    return entry;
  }

  [[noreturn]] void fail_at(double loss) const {
    auto const broken = model_.first_non_finite(model_.weights());
    fail("train: the loss of step ", state_.step + 1, " is ", std::isnan(loss) ? "not a number" : "infinite", "; ",
         broken.empty() ? "all weights are finite: look at the data and the loss"
                        : "the first weights that are not finite are those of '" + broken +
                              "': lower the learning rate or set max_norm");
  }

  void count_epoch(Json& entry, double loss, Index steps_per_epoch) {
    if (steps_per_epoch == 0) return;
    state_.loss_sum += loss;
    if (++state_.position < steps_per_epoch) return;
    state_.epoch_losses.push_back(state_.loss_sum / static_cast<double>(steps_per_epoch));
    entry["epoch_loss"] = state_.epoch_losses.back();
    ++state_.epoch;
    state_.position = 0;
    state_.loss_sum = 0;
  }

  void call_back(Json& entry) {
    NoGrad const no_grad;
    if (validate && is_due(config_.validate_every)) entry["validation"] = validate(state_.step);
    if (sample && is_due(config_.sample_every)) sample(state_.step);
  }

  bool is_due(std::int64_t every) const { return every > 0 && state_.step % every == 0; }
  double factor_at(std::int64_t step) const { return config_.schedule ? config_.schedule(step) : 1; }

  void open_folder() {
    if (config_.out.empty() || log_) return;
    std::error_code error;
    std::filesystem::create_directories(config_.out, error);
    require(!error, "train: cannot create the folder ", detail::quoted(config_.out), ": ", error.message());
    auto const path = config_.out / "log.jsonl";
    log_ = state_.step > 0 ? JsonLog::resume(path, state_.step) : JsonLog::create(path);
  }

  // Everything that the numbers of the run depend on from `step` on.
  Json configuration(std::int64_t step) const {
    auto const& c = config_;
    return Json::object({{"precision", dtype_name<typename Model<Net>::element>()},
                         {"optimizer", optimizer_configuration()},
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
  Json optimizer_configuration() const {
    auto const& c = optimizer_.config;
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

  Model<Net>& model_;
  Optimizer optimizer_;
  TrainerConfig config_;
  Rng rng_;
  std::vector<Rng*> kept_;
  TrainingState state_;
  std::int64_t saved_step_ = -1;
  std::optional<JsonLog> log_;
};

}  // namespace stipple
