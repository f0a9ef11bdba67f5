// The command line that the examples which train on images share.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "common/options.hpp"

namespace example {

/// How long, in what portions and at what rate to train.
struct TrainingOptions : CommonOptions {
  std::int64_t epochs = 1;
  std::int64_t steps = 0;  ///< instead of epochs, if positive
  double max_minutes = 0;  ///< of training; 0: no limit
  st::Index batch = 128;
  double learning_rate = 1e-3;

  std::int64_t steps_per_epoch(st::Index images) const { return images / batch + (images % batch != 0 ? 1 : 0); }
  std::int64_t total_steps(st::Index images) const { return steps > 0 ? steps : epochs * steps_per_epoch(images); }
  /// Images that `done` steps have shown to the network.
  std::int64_t images_seen(st::Index images, std::int64_t done) const {
    auto const per_epoch = steps_per_epoch(images);
    return done / per_epoch * images + std::min<std::int64_t>(images, done % per_epoch * batch);
  }

  /// What pictures after `done` steps are called: "epoch_N", or inside an epoch "step_N".
  std::string step_name(st::Index images, std::int64_t done) const {
    auto const per_epoch = steps_per_epoch(images);
    return done % per_epoch == 0 ? "epoch_" + std::to_string(done / per_epoch) : "step_" + std::to_string(done);
  }

  /// The part of a trainer's settings that these options decide.
  st::TrainerConfig trainer_config() const {
    auto config = CommonOptions::trainer_config();
    config.batch = batch;
    config.max_seconds = 60 * max_minutes;
    return config;
  }
};

/// Adds --epochs, --steps, --max-minutes, --batch and --learning-rate to a program. What `options` holds is the
/// default; `images` says what an epoch passes over.
inline void add_training_options(CLI::App& app, TrainingOptions& options, const std::string& images) {
  app.add_option("--epochs", options.epochs, "Passes over the " + images)
      ->check(CLI::Range(1, 1'000'000))  // so that no number of steps overflows
      ->capture_default_str();
  app.add_option("--steps", options.steps, "Steps of training, instead of --epochs")->check(CLI::PositiveNumber);
  app.add_option("--max-minutes", options.max_minutes, "Stop training after the step that reaches this")
      ->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "Images a step")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate, "Of the optimiser; where it changes, its highest")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

/// Prints a line, as printf does, while the trainer shows its progress; nothing if the program is to be quiet.
template <class... Values>
void announce(const CommonOptions& options, const char* format, Values... values) {
  if (options.quiet) return;
  if (isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);  // the bar of progress comes again below
  std::printf(format, values...);
  std::putchar('\n');
  std::fflush(stdout);
}

}  // namespace example
