// The command line that all examples share.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <stipple/train/trainer.hpp>

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

/// Adds --out, --seed, --threads, --device, --precision, --resume, --checkpoint-every, --data and --quiet to a program.
/// What `options` holds is the default; `data_help` says what the program looks for in --data.
inline void add_common_options(CLI::App& app, CommonOptions& options, const std::string& data_help) {
  auto const with_default = [](CLI::Option* option) { return option->capture_default_str()->group("Every example"); };
  with_default(app.add_option("--out", options.out, "Folder for metrics.json, log.jsonl, pictures and checkpoint"));
  with_default(app.add_option("--seed", options.seed, "Seed of all random numbers"));
  with_default(app.add_option("--threads", options.threads, "Threads; the result does not depend on them"))
      ->check(CLI::Range(1, 1024));
  with_default(app.add_option("--device", options.device, "Where the network computes: cpu, or cuda for an NVIDIA GPU"))
      ->check(CLI::IsMember(std::vector<std::string>{"cpu", "cuda"}));
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

/// Goes on from the checkpoint in --out if --resume asks for it. Throws Error if there is none.
template <class Trainer>
void resume_if_asked(Trainer& trainer, const CommonOptions& options) {
  if (!options.resume) return;
  std::error_code error;
  st::require(std::filesystem::exists(trainer.checkpoint_path(), error), "--resume: there is no checkpoint '",
              trainer.checkpoint_path().string(), "'");
  trainer.resume();
}

/// The exit code of a run that a signal ended, after a sentence about it. The trainer has written the checkpoint.
inline int interrupted(const st::TrainingResult& result) {
  std::fprintf(stderr, "Stopped by a signal after step %lld; the same command with --resume goes on.\n",
               static_cast<long long>(result.step));
  return 128 + result.signal;
}

}  // namespace example
