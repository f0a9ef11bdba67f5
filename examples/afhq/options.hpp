// The settings of afhq's commands. Their defaults are those of the KAIST course, but for the precision.
#pragma once

#include <memory>

#include <stipple/metrics/feature_network.hpp>

#include "common/sampler_options.hpp"
#include "common/schedule_options.hpp"
#include "common/training_options.hpp"

namespace afhq {

namespace st = stipple;

struct Options : example::TrainingOptions {
  // afhq prepare
  std::string images;  ///< folder with train/ and val/ or test/
  st::Index image_height = 64, image_width = 64;
  st::Index max_per_class = 1000;
  std::string filter = "bilinear", evaluation_filter = "bicubic";
  std::string damaged = "refuse";

  // afhq train
  std::string preset = "kaist";
  st::Index width = 128;
  std::vector<st::Index> multipliers{1, 2, 2, 2};
  st::Index res_blocks = 4;
  double dropout = 0.1;
  bool gradient_checkpointing = false;
  int timesteps = 1000;
  example::NoiseSchedule noise;
  std::int64_t warmup = 200;
  bool flip = false;
  double ema = 0;
  bool conditional = false;
  std::string class_embedding = "linear";
  double unconditional = 0.1;
  std::int64_t log_interval = 500;
  std::int64_t keep_every = 1000;

  // afhq sample, and the samples of afhq train
  std::string checkpoint;
  st::Index sample_count = 500;
  example::Sampler sampler;
  double guidance = 7.5;
  std::string label = "random";
  st::Index sample_batch = 0;              ///< 0: 8, on a GPU 32
  std::string sample_precision;            ///< empty: that of the training
  std::vector<std::string> class_options;  ///< those on the command line that a network without classes has no use for

  // afhq evaluate
  std::string real, generated;  ///< folders
  std::string features;         ///< how the name of the feature network is to begin
  std::string weights;          ///< empty: MobileNetV2's
};

int prepare(const Options& options);

/// Trains; returns the exit code. Compiled once for each precision, and for a GPU, in files of their own.
int train_fp32(const Options& options);
int train_bf16(const Options& options);
int train_cuda(const Options& options);

/// Samples from a checkpoint.
int sample(const Options& options);

int evaluate(const Options& options);

/// The network behind the figures on a GPU, in float: TF32 would make other figures of it.
std::unique_ptr<st::FeatureNetwork> gpu_feature_network(const Options& options);

}  // namespace afhq
