// The settings of mnist_guided. Their defaults are those of the course, but for the precision.
#pragma once

#include <cmath>

#include "common/fid_options.hpp"
#include "common/schedule_options.hpp"
#include "common/training_options.hpp"

namespace mnist_guided {

namespace st = stipple;

struct Options : example::TrainingOptions {
  std::string network = "class";
  std::string preset = "course";
  st::Index width = 128;
  double decay = 1;  ///< of the learning rate, after each epoch
  int timesteps = 300;
  example::NoiseSchedule noise;
  double unconditional = 0.1;
  double guidance = 5;
  st::Index sample_count = 40;
  example::SampleOptions samples;
  example::FidOptions fid;

  bool has_classes() const { return network == "class"; }

  /// What makes the run what it is, for metrics.json and the checkpoint.
  st::Json to_json() const {
    auto json = st::Json::object({{"example", "mnist_guided"},
                                  {"network", network},
                                  {"width", width},
                                  {"num_train_timesteps", timesteps},
                                  {"p_uncond", has_classes() ? unconditional : 0},
                                  {"batch", batch},
                                  {"learning_rate", learning_rate},
                                  {"decay", decay},
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

}  // namespace mnist_guided
