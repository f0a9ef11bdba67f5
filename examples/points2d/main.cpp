// points2d: DDPM and DDIM on points in the plane (KAIST CS479, assignment 3, task 1; Technion 00960236, assignment 4,
// task 1).
#include <stipple/data/points.hpp>

#include "common/device.hpp"
#include "points2d/options.hpp"

namespace {

namespace st = stipple;
using Names = std::vector<std::string>;

Names dataset_names() { return {st::data::point_set_names.begin(), st::data::point_set_names.end()}; }

void add_options(CLI::App& app, points2d::Options& o) {
  app.add_option("--dataset", o.dataset, "Points to learn")
      ->check(CLI::IsMember(dataset_names()))
      ->capture_default_str();
  app.add_option("--steps", o.steps, "Steps of training")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--recipe", o.recipe,
                 "course: as the course has it; best: better samples for the same work, see below")
      ->check(CLI::IsMember(std::vector<std::string>{"course", "best"}))
      ->capture_default_str();
  app.add_option("--schedule", o.schedule, "Noise schedule, 1000 timesteps [linear; sigmoid with --recipe best]")
      ->check(CLI::IsMember(std::vector<std::string>{"linear", "quadratic", "cosine", "sigmoid"}));
  app.add_option("--batch", o.batch, "Points a step")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--points", o.points, "Points in the data set")
      ->check(CLI::Range(2, 100'000'000))
      ->capture_default_str();
  app.add_option("--sample-count", o.sample_count, "Samples that are compared with as many of the first points")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--ddim-steps", o.ddim_steps, "Steps of deterministic sampling")
      ->check(CLI::Range(1, points2d::Options::num_train_timesteps))
      ->capture_default_str();
  app.add_option("--sample-every", o.sample_every,
                 "Steps between pictures of samples; 0: only after the first step and the last, as always")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  points2d::Options options;
  options.precision = "fp32";
  CLI::App app(
      "Learns a set of points in the plane by denoising diffusion and samples from it: DDPM with 1000 steps, and "
      "without randomness with 50.",
      "points2d");
  add_options(app, options);
  Names const variants{"--dataset", "--recipe", "--schedule"};
  add_common_options(app, options, "Taken as by every example and not needed: the points are computed",
                     example::folder_help(app, variants));
  app.footer(
      "The courses are KAIST's CS479 (2023), assignment 3, and Technion's 00960236, assignment 4, task 1 of both: a\n"
      "network of TimeLinear layers 2-128-128-128-2 is trained by Adam (1e-3) on the mean squared error of the\n"
      "predicted noise, 5000 steps of 128 points of the Swiss roll; beta from 1e-4 to 0.02 in T = 1000 equal steps. "
      "The\n"
      "Chamfer distances are sums of squared distances to the nearest point, both ways. KAIST's full marks are for "
      "DDPM\n"
      "below 20 and DDIM in 50 steps below 40, Technion's for DDIM below 60. Over seeds 1 to 20 --recipe course has "
      "means\n"
      "of 15 and 40, from 7 to 25 and from 23 to 69: a single run may miss a mark.\n"
      "--recipe best keeps network, steps, batch and steps of sampling. Its noise schedule is the sigmoid one; the\n"
      "learning rate rises to 3e-3 in the first 2 % of the steps and falls along a cosine; samples are from an "
      "average\n"
      "of the weights (0.999); DDIM spreads its timesteps quadratically; DPM-Solver++ of order 2 samples with as many\n"
      "steps as DDIM. Over seeds 1 to 5 its means are 1.4 for DDPM and 4.2 for DDIM.\n"
      "Time to expect: ten seconds on two cores with AVX-512, half of them for the 5000 steps (1 ms each).\n\n"
      "Writes metrics.json, log.jsonl, checkpoint.safetensors, loss.png, ddpm.png, ddim.png, with --recipe best\n"
      "dpm_solver.png, target_and_prior.png, forward_process.png and samples_at_N.png, where N counts steps from 0 as\n"
      "the courses do: 0 is after the first step, 4999 at the end. SIGINT, SIGTERM and SIGHUP end the run with a\n"
      "checkpoint and loss.png.");
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    return example::run_on_device(options, points2d::run_fp32, points2d::run_bf16, points2d::run_cuda);
  });
}
