// The settings of train_classifier.
#pragma once

#include "common/training_options.hpp"

namespace train_classifier {

namespace st = stipple;

struct Options : example::TrainingOptions {
  std::string data_set = "mnist";
  st::Index shift = 2;

  bool clothes() const { return data_set == "fashion_mnist"; }
  /// The data set as folders and scripts/get-data call it.
  std::string folder() const { return clothes() ? "fashion-mnist" : "mnist"; }

  /// What makes the run what it is, for metrics.json and the checkpoint.
  st::Json to_json() const {
    return st::Json::object({{"example", "train_classifier"},
                             {"data_set", data_set},
                             {"shift", shift},
                             {"batch", batch},
                             {"learning_rate", learning_rate},
                             {"precision", precision},
                             {"seed", std::to_string(seed)}});
  }
};

/// Trains and tests; returns the exit code. Compiled once for each precision, and for a GPU,
/// in files of their own.
int run_fp32(const Options& options);
int run_bf16(const Options& options);
int run_cuda(const Options& options);

}  // namespace train_classifier
