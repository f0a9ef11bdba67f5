// The command line that all examples share.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <stipple/train/trainer.hpp>

#include "common/gpu.hpp"

namespace example {

namespace st = stipple;

/// Options of every example.
struct CommonOptions {
  std::string out;
  std::uint64_t seed = 1;
  int threads = st::ThreadPool::default_threads();  // asks for no Context: making one may fail
  std::string device = "cpu";
  std::string precision;
  bool resume = false;
  std::int64_t checkpoint_every = 0;
  std::string data;
  bool quiet = false;

  /// The part of a trainer's settings that these options decide.
  st::TrainerConfig trainer_config() const {
    st::TrainerConfig config;
    config.out = out;
    config.seed = seed;
    config.checkpoint_every = checkpoint_every;
    config.quiet = quiet;
    return config;
  }
};

/// Adds --device to a program.
inline CLI::Option* add_device_option(CLI::App& app, CommonOptions& options) {
  auto const check = [](const std::string& device) -> std::string {
    try {
      static_cast<void>(gpu_number(device));
    } catch (const st::Error& error) {
      return error.what();
    }
    return {};
  };
  return app
      .add_option("--device", options.device,
                  "Where the network computes: cpu, cuda for an NVIDIA GPU, or cuda:N for one of several")
      ->check(CLI::Validator(check, "{cpu,cuda,cuda:N}"));
}

/// Adds --out, --seed, --threads, --device, --precision, --resume, --checkpoint-every, --data and --quiet to a program.
/// What `options` holds is the default; `data_help` says what the program looks for in --data, `out_help` which folder
/// it takes without --out.
inline void add_common_options(CLI::App& app, CommonOptions& options, const std::string& data_help,
                               const std::string& out_help) {
  auto const with_default = [](CLI::Option* option) { return option->capture_default_str()->group("Every example"); };
  app.add_option("--out", options.out, "Folder for metrics.json, log.jsonl, pictures and checkpoint " + out_help)
      ->group("Every example");
  with_default(app.add_option("--seed", options.seed, "Seed of all random numbers"));
  with_default(app.add_option("--threads", options.threads, "Threads; the result does not depend on them"))
      ->check(CLI::Range(1, 1024));
  with_default(add_device_option(app, options));
  with_default(
      app.add_option("--precision", options.precision,
                     "Arithmetic of the network: fp32 or bf16; on a GPU also tf32, fp32 with rounded products"))
      ->check(CLI::IsMember(std::vector<std::string>{"fp32", "tf32", "bf16"}));
  app.add_flag("--resume", options.resume, "Go on from the checkpoint in --out, to the same bytes as without the break")
      ->group("Every example");
  with_default(
      app.add_option("--checkpoint-every", options.checkpoint_every,
                     "Steps between checkpoints; 0: five minutes. One more at the end, and when the run is stopped"))
      ->check(CLI::NonNegativeNumber);
  app.add_option("--data", options.data, data_help)->group("Every example");
  app.add_flag("--quiet", options.quiet, "Print the results alone")->group("Every example");
}

/// What --help says of --out where `name_folder` completes it with the values of `variants`.
inline std::string folder_help(const CLI::App& app, const std::vector<std::string>& variants) {
  std::string text = "[runs/" + app.get_name();
  for (std::size_t i = 0; i < variants.size(); ++i)
    text += (i == 0 ? ", followed by what " : i + 1 < variants.size() ? ", " : " and ") + variants[i];
  return text + (variants.empty() ? "]" : variants.size() == 1 ? " chooses]" : " choose]");
}

/// Without --out a run goes to runs/PROGRAM, followed by those of these options' values that are not the default, as in
/// runs/mnist_guided-time: runs that differ in them do not share a folder.
inline void name_folder(const CLI::App& app, CommonOptions& options, const std::vector<std::string>& variants) {
  if (app.count("--out") > 0) return;
  options.out = "runs/" + app.get_name();
  for (auto const& name : variants) {
    auto const* const option = app.get_option(name);
    if (option->count() == 0) continue;
    bool const is_flag = option->get_expected_max() == 0;
    auto const value = is_flag ? option->get_lnames().front() : option->as<std::string>();
    if (is_flag || value != option->get_default_str()) options.out += "-" + value;
  }
}

/// Parses the command line, runs `body()` and returns the exit code: that of `body`, 2 for a bad command line, 1 with a
/// sentence for every other failure.
template <class Body>
int run_program(CLI::App& app, const CommonOptions& options, int argc, char** argv, const Body& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    st::set_num_threads(options.threads);
    return body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), error.what());
    return 1;
  }
}

/// Throws Error if one of these options is on the command line; `why` says what they would be ignored for.
inline void refuse_options(const CLI::App& app, const std::vector<std::string>& names, const std::string& why) {
  for (auto const& name : names) st::require(app.count(name) == 0, name, ": ", why);
}

/// Makes the folder --out. Throws Error if that is impossible.
inline void make_folder(const st::FilePath& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  st::require(!error, "--out: cannot create the folder '", folder.string(), "': ", error.message());
}

/// Makes --out the folder of a run: goes on from its checkpoint if --resume asks for that, and else moves the files of
/// an earlier run to a subfolder. Throws Error if there is no checkpoint to go on from.
template <class Trainer>
void open_run(Trainer& trainer, const CommonOptions& options) {
  if (options.resume) {
    std::error_code error;
    st::require(std::filesystem::exists(trainer.checkpoint_path(), error), "--resume: there is no checkpoint '",
                trainer.checkpoint_path().string(), "'");
    trainer.resume();
  }
  auto const earlier = trainer.open_folder();
  if (!earlier) return;
  auto const step = earlier->step ? " (step " + std::to_string(*earlier->step) + ")" : "";
  std::fprintf(stderr, "Moved the earlier run%s to %s; --resume goes on with a run.\n", step.c_str(),
               earlier->folder.c_str());
}

/// The exit code of a run that a signal ended, after a sentence about it that says when. What was done until then is in
/// the folder.
inline int interrupted(int signal, const std::string& when) {
  std::fprintf(stderr, "Stopped by a signal %s; the same command with --resume goes on.\n", when.c_str());
  return 128 + signal;
}
inline int interrupted(const st::TrainingResult& result) {
  return interrupted(result.signal, "after step " + std::to_string(result.step));
}

}  // namespace example
