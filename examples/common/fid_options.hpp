// The command line of the figures of samples by a classifier's features.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include <stipple/tensor/tensor.hpp>

#include "common/sampler_options.hpp"

namespace example {

namespace st = stipple;

/// What to sample and to measure when a run is done; nothing without a classifier.
struct FidOptions {
  std::string classifier;  ///< file of weights
  st::Index count = 2000;
  std::vector<std::string> samplers{"ddpm"};
  std::vector<int> steps;        ///< empty: all timesteps
  std::vector<double> guidance;  ///< empty: that of the program's own samples

  bool asked() const { return !classifier.empty(); }
};

/// Adds --fid-classifier, --fid-count, --fid-samplers, --fid-steps and, where samples can be `guided`, --fid-guidance.
inline void add_fid_options(CLI::App& app, FidOptions& o, bool guided) {
  std::string const what = guided ? "every sampler with every number of steps and every guidance"
                                  : "every sampler with every number of steps";
  auto* const classifier =
      app.add_option("--fid-classifier", o.classifier,
                     "File of weights from train_classifier; measures samples by it when training is done, or with "
                     "--resume those of a finished run: " +
                         what);
  auto const add = [&](CLI::Option* option) { return option->needs(classifier)->group("Figures of samples"); };
  classifier->group("Figures of samples");
  add(app.add_option("--fid-count", o.count, "Images for each figure"))
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str();
  add(app.add_option("--fid-samplers", o.samplers,
                     "One or more of ddpm, ddim, dpm_solver, dpm_solver_sde, euler and heun"))
      ->check(CLI::IsMember(sampler_names))
      ->capture_default_str();
  add(app.add_option("--fid-steps", o.steps,
                     "Numbers of sampling steps, each two calls of the network for heun; without it all timesteps"))
      ->check(CLI::PositiveNumber);
  if (!guided) return;
  add(app.add_option("--fid-guidance", o.guidance, "Scales of guidance; without it that of the program's own samples"))
      ->check(CLI::NonNegativeNumber);
}

/// Adds what --help says of the figures to its end; for networks that are told `labels`, and samples that are `guided`.
inline void add_fid_help(CLI::App& app, bool labels, bool guided) {
  std::string text =
      "\n\n--fid-classifier adds FID, KID, precision and recall of --fid-count samples against the test images to\n"
      "metrics.json, beside those of as many training images, which no sampler can be expected to beat. The features\n"
      "are those of the classifier alone: its FID is not to be compared with one by Inception. Samples are rounded to\n"
      "256 values as in files. Each figure is written when it is there, so that the same command with --resume goes\n"
      "on after a stop. fid_steps.png shows the FID where there are several numbers of steps.";
  if (guided) text += "\nfid_guidance.png shows it where there are several scales of guidance.";
  if (labels)
    text +=
        "\nLabels are spread evenly, and the share of samples that the classifier takes for what was asked is given "
        "too.";
  app.footer(app.get_footer() + text);
}

}  // namespace example
