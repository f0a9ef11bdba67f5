// The settings of mnist_attention. Their defaults are those of the course, but for the precision.
#pragma once

#include "common/fid_options.hpp"
#include "common/schedule_options.hpp"
#include "common/training_options.hpp"

namespace mnist_attention {

namespace st = stipple;

struct Options : example::TrainingOptions {
  bool conditional = false;
  std::string recipe = "course";
  st::Index width = 16;
  int timesteps = 1000;
  example::NoiseSchedule noise;
  st::Index validation_count = 5000;
  st::Index validation_batch = 1000;
  int validation_draws = 10;
  st::Index sample_count = 10;
  std::int32_t label = 3;
  example::SampleOptions samples{.sampler = {.variance = "large"}};
  example::FidOptions fid;

  bool best() const { return recipe == "best"; }
  /// Timesteps between those at which the forward process is shown.
  int shown_interval() const { return std::max(1, timesteps / 10); }

  /// What makes the run what it is, for metrics.json and the checkpoint.
  st::Json to_json() const {
    auto json = st::Json::object({{"example", "mnist_attention"},
                                  {"conditional", conditional},
                                  {"recipe", recipe},
                                  {"width", width},
                                  {"num_train_timesteps", timesteps},
                                  {"batch", batch},
                                  {"learning_rate", learning_rate},
                                  {"validation_count", validation_count},
                                  {"precision", precision},
                                  {"seed", std::to_string(seed)}});
    noise.add_to(json);
    return json;
  }
};

/// Trains and samples; returns the exit code. Compiled once for each precision, and for a GPU,
/// in files of their own.
int run_fp32(const Options& options);
int run_bf16(const Options& options);
int run_cuda(const Options& options);

}  // namespace mnist_attention
