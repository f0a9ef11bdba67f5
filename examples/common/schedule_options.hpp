// The command line of a noise schedule.
#pragma once

#include <string>
#include <vector>

#include <stipple/diffusion/schedule.hpp>
#include <stipple/io/json.hpp>

#include "common/options.hpp"

namespace example {

/// A noise schedule by name, with the variances at its ends.
struct NoiseSchedule {
  std::string name = "linear";
  double beta_start = 1e-4, beta_end = 0.02;

  bool has_range() const { return name != "cosine"; }
  st::Schedule operator()(int timesteps) const { return st::schedule_by_name(name, {timesteps, beta_start, beta_end}); }
  st::Json to_json() const {
    auto json = st::Json::object({{"noise_schedule", name}});
    if (has_range()) json.update(st::Json::object({{"beta_start", beta_start}, {"beta_end", beta_end}}));
    return json;
  }
  /// Adds it to what makes a run what it is. The courses' own is not named, so that checkpoints from before there was a
  /// choice remain those of their run.
  void add_to(st::Json& configuration) const {
    if (to_json() != NoiseSchedule().to_json()) configuration.update(to_json());
  }
};

/// Adds --schedule, --beta-start and --beta-end to a program.
inline void add_schedule_options(CLI::App& app, NoiseSchedule& schedule) {
  app.add_option("--schedule", schedule.name, "Noise schedule: linear, cosine, quadratic or sigmoid")
      ->check(CLI::IsMember(std::vector<std::string>{"linear", "cosine", "quadratic", "sigmoid"}))
      ->capture_default_str();
  app.add_option("--beta-start", schedule.beta_start, "Variance beta of the first timestep; not of cosine")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--beta-end", schedule.beta_end, "Variance beta of the last timestep; not of cosine")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

/// Throws Error if the command line says what this schedule does not use.
inline void check_schedule_options(const CLI::App& app, const NoiseSchedule& schedule) {
  if (!schedule.has_range())
    refuse_options(app, {"--beta-start", "--beta-end"}, "the cosine schedule has no range of beta");
}

}  // namespace example
