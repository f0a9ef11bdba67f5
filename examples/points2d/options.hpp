// The settings of points2d. Their defaults are those of the course.
#pragma once

#include "common/options.hpp"

namespace points2d {

namespace st = stipple;

struct Options : example::CommonOptions {
  std::string dataset = "swiss_roll";
  std::int64_t steps = 5000;
  std::string recipe = "course";
  std::string schedule;  ///< empty: linear, or sigmoid in the recipe "best"
  st::Index batch = 128;
  st::Index points = 1'000'000;
  st::Index sample_count = 2048;
  int ddim_steps = 50;
  std::int64_t sample_every = 0;

  bool best() const { return recipe == "best"; }
  std::string noise_schedule() const { return !schedule.empty() ? schedule : best() ? "sigmoid" : "linear"; }

  /// What makes the run what it is, for metrics.json.
  st::Json to_json() const {
    return st::Json::object({{"example", "points2d"},
                             {"dataset", dataset},
                             {"recipe", recipe},
                             {"steps", steps},
                             {"seed", std::to_string(seed)},
                             {"precision", precision},
                             {"batch", batch},
                             {"points", points},
                             {"noise_schedule", noise_schedule()},
                             {"num_train_timesteps", num_train_timesteps},
                             {"sample_count", sample_count},
                             {"ddim_steps", ddim_steps}});
  }

  static constexpr int num_train_timesteps = 1000;
};

/// Trains, samples and measures; returns the exit code. Compiled once for each precision, and for a GPU,
/// in files of their own.
int run_fp32(const Options& options);
int run_bf16(const Options& options);
int run_cuda(const Options& options);

}  // namespace points2d
