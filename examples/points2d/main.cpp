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
  app.add_option("--sample-every", o.sample_every, "Steps between pictures of samples; 0: before and after training")
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
  add_common_options(app, options, "Not needed here: the points are computed", example::folder_help(app, variants));
  app.footer(
      "A network of TimeLinear layers 2-128-128-128-2 is trained by Adam (1e-3) on the mean squared error of the\n"
      "predicted noise, linear schedule from 1e-4 to 0.02. The Chamfer distances are sums of squared distances to the\n"
      "nearest point, both ways.\n"
      "--recipe best keeps network, steps, batch and steps of sampling. Its noise schedule is the sigmoid one; the\n"
      "learning rate rises to 3e-3 in the first 2 % of the steps and falls along a cosine; samples are from an "
      "average\n"
      "of the weights (0.999); DDIM spreads its timesteps quadratically; DPM-Solver++ of order 2 samples with as many\n"
      "steps as DDIM.\n\n"
      "Writes metrics.json, log.jsonl, checkpoint.safetensors, loss.png, ddpm.png, ddim.png, target_and_prior.png,\n"
      "forward_process.png and samples_at_<iteration>.png. SIGINT, SIGTERM and SIGHUP end the run with a checkpoint.");
  return example::run_program(app, options, argc, argv, [&] {
    example::name_folder(app, options, variants);
    return example::run_on_device(options, points2d::run_fp32, points2d::run_bf16, points2d::run_cuda);
  });
}
