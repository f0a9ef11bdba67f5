// The command line of samplers.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <stipple/io/json.hpp>

#include "common/options.hpp"

namespace example {

inline const std::vector<std::string> sampler_names{"ddpm", "ddim", "dpm_solver", "dpm_solver_sde", "euler", "heun"};

/// A sampler and its settings.
struct Sampler {
  std::string name = "ddpm";       ///< one of `sampler_names`
  int steps = 0;                   ///< 0: all of ddpm, 50 of ddim and euler, 20 of the others
  std::string variance = "small";  ///< of ddpm; or large
  double eta = 0;                  ///< of ddim

  /// The same with a number of steps. Throws Error, which begins with `option`, if there are fewer timesteps.
  Sampler for_timesteps(int timesteps, const std::string& option) const {
    st::require(steps <= timesteps, option, ": given ", steps, " steps, wanted 1 to ", timesteps);
    auto sampler = *this;
    bool const first_order = name == "ddim" || name == "euler";
    if (steps == 0) sampler.steps = std::min(timesteps, name == "ddpm" ? timesteps : first_order ? 50 : 20);
    return sampler;
  }

  st::Json to_json() const {
    auto json = st::Json::object({{"sampler", name}, {"sampler_steps", steps}});
    if (name == "ddpm") json["variance"] = variance;
    if (name == "ddim" && eta > 0) json["eta"] = eta;
    return json;
  }
};

/// Adds --sampler, --variance, --eta and an option for the number of steps. What `sampler` holds is the default.
inline void add_sampler_options(CLI::App& app, Sampler& sampler, const std::string& steps_option) {
  app.add_option("--sampler", sampler.name, "ddpm, ddim, dpm_solver, dpm_solver_sde, euler or heun")
      ->check(CLI::IsMember(sampler_names))
      ->capture_default_str();
  app.add_option(steps_option, sampler.steps,
                 "Steps of the sampler; without it all timesteps for ddpm, 50 for ddim and euler, 20 for the others")
      ->check(CLI::PositiveNumber);
  app.add_option("--variance", sampler.variance, "Of ddpm: small is the posterior's, large is beta")
      ->check(CLI::IsMember(std::vector<std::string>{"small", "large"}))
      ->capture_default_str();
  app.add_option("--eta", sampler.eta, "Of ddim: 0 adds no noise, 1 as much as ddpm with the posterior's variance")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

/// Throws Error if the command line says what this sampler does not use.
inline void check_sampler_options(const CLI::App& app, const Sampler& sampler) {
  auto const given = "given --sampler " + sampler.name;
  if (sampler.name != "ddpm") refuse_options(app, {"--variance"}, "is of ddpm, " + given);
  if (sampler.name != "ddim") refuse_options(app, {"--eta"}, "is of ddim, " + given);
}

/// How a program that trains draws its own samples.
struct SampleOptions {
  Sampler sampler;
  std::optional<std::uint64_t> seed{};  ///< without it one that follows from the run's
};

/// Adds --sampler, --sample-steps, --variance, --eta and --sample-seed to a program that trains.
inline void add_sample_options(CLI::App& app, SampleOptions& options) {
  add_sampler_options(app, options.sampler, "--sample-steps");
  app.add_option("--sample-seed", options.seed, "Seed of the samples; without it they follow from --seed");
}

/// What --help says of samples of a run that is done.
inline std::string sample_help() {
  return "The options of samples are none of the run's: with --resume, a run that is done draws its pictures again by\n"
         "another sampler, in other steps or from another seed.";
}

}  // namespace example
