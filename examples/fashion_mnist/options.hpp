// The settings of fashion_mnist. Their defaults are those of the course, but for the precision.
#pragma once

#include "common/fid_options.hpp"
#include "common/training_options.hpp"

namespace fashion_mnist {

namespace st = stipple;

struct Options : example::TrainingOptions {
  std::string block = "convnext";
  std::string loss = "huber";
  std::string schedule = "linear";
  std::string recipe = "course";
  int timesteps = 200;
  st::Index sample_count = 64;
  example::SampleOptions samples;
  example::FidOptions fid;

  bool best() const { return recipe == "best"; }

  /// What makes the run what it is, for metrics.json and the checkpoint.
  st::Json to_json() const {
    return st::Json::object({{"example", "fashion_mnist"},
                             {"recipe", recipe},
                             {"block", block},
                             {"loss_kind", loss},
                             {"noise_schedule", schedule},
                             {"num_train_timesteps", timesteps},
                             {"batch", batch},
                             {"learning_rate", learning_rate},
                             {"precision", precision},
                             {"seed", std::to_string(seed)}});
  }
};

/// Trains and samples; returns the exit code. Compiled once for each precision, and for a GPU,
/// in files of their own.
int run_fp32(const Options& options);
int run_bf16(const Options& options);
int run_cuda(const Options& options);

}  // namespace fashion_mnist
