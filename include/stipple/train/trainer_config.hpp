// What a Trainer is told, and what it tells.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <stipple/core/shape.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/json.hpp>

namespace stipple {

struct TrainerConfig {
  Index batch = 128;
  double ema = 0;  ///< decay of the moving average of the weights; 0: none is kept
  bool ema_warmup = false;
  FilePath out{};  ///< folder of log.jsonl and checkpoint.safetensors; empty: nothing is written
  /// Names of files that a program adds there, where * is any number, as in "samples_*.png"; see Trainer::open_folder.
  std::vector<std::string> results{"metrics.json"};
  std::uint64_t seed = 0;
  bool shuffle = true;
  bool flip = false;
  bool drop_last = false;
  std::function<double(std::int64_t)> schedule{};             ///< factor of the learning rate at step 0, 1, ...
  double max_norm = std::numeric_limits<double>::infinity();  ///< of the gradient
  std::int64_t checkpoint_every = 0;  ///< steps; 0: by time. There is one at the end, and when a signal ends the run
  double checkpoint_seconds = 300;    ///< without `checkpoint_every`: at most this and a step between checkpoints
  std::int64_t keep_every = 0;        ///< steps; checkpoint-<step>.safetensors, without the optimiser's moments, stays
  std::int64_t validate_every = 0;    ///< steps; 0: never
  std::int64_t sample_every = 0;      ///< steps; 0: never
  bool sample_first = false;          ///< after the first step too
  bool checkpoint_samples = false;    ///< a checkpoint after each of those steps, besides the others
  std::int64_t log_every = 1;
  double max_seconds = 0;               ///< ends the run after the step that reaches it, with a checkpoint; 0: never
  bool quiet = false;                   ///< shows no progress
  bool catch_signals = true;            ///< SIGINT, SIGTERM and SIGHUP end the run after the step, with a checkpoint
  Json configuration = Json::object();  ///< what else makes this run what it is; a resume wants the same
};

/// How a run ended.
struct TrainingResult {
  std::int64_t step = 0;             ///< steps done in all
  double loss = 0;                   ///< of the last step
  std::vector<double> epoch_losses;  ///< mean loss of each epoch
  double seconds = 0;                ///< of this call, with validation and samples
  int signal = 0;                    ///< that ended it, or 0
};

}  // namespace stipple
