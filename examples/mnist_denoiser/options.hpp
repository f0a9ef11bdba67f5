// The settings of mnist_denoiser. Their defaults are those of the course, but for the precision.
#pragma once

#include "common/training_options.hpp"

namespace mnist_denoiser {

namespace st = stipple;

struct Options : example::TrainingOptions {
  double sigma = 0.5;
  st::Index width = 128;
  st::Index sample_count = 8;
  st::Index test_count = 256;

  /// What makes the run what it is, for metrics.json and the checkpoint.
  st::Json to_json() const {
    return st::Json::object({{"example", "mnist_denoiser"},
                             {"sigma", sigma},
                             {"width", width},
                             {"batch", batch},
                             {"learning_rate", learning_rate},
                             {"precision", precision},
                             {"seed", std::to_string(seed)}});
  }
};

/// Trains and denoises; returns the exit code. Compiled once for each precision, and for a GPU,
/// in files of their own.
int run_fp32(const Options& options);
int run_bf16(const Options& options);
int run_cuda(const Options& options);

}  // namespace mnist_denoiser
