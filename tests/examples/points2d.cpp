// points2d: a short run leaves what it should, goes on where it stopped, and says what is wrong with a command line.
#include <stipple/io/read_png.hpp>

#include "program.hpp"

namespace {

// A few points and steps; sampling with all 1000 timesteps stays.
std::string points2d(const std::filesystem::path& out, const std::string& options) {
  return program("points2d") + " --out " + quoted(out) +
         " --batch 8 --points 300 --sample-count 16 --ddim-steps 5 --quiet " + options;
}

}  // namespace

TEST_CASE("points2d: numbers, log and pictures of a short run") {
  ScratchFolder const folder;
  auto const out = folder / "a folder/run";
  auto const outcome = require_success(points2d(out, "--steps 3 --sample-every 2"));
  CHECK(outcome.output.find("DDPM Chamfer Distance: ") != std::string::npos);
  CHECK(outcome.output.find("DDIM Chamfer Distance: ") != std::string::npos);
  CHECK(metric(out, "chamfer_ddpm") > 0);
  CHECK(metric(out, "chamfer_ddim") > 0);
  CHECK(metric(out, "train_seconds") > 0);
  CHECK(metric(out, "steps") == 3);
  CHECK(metric(out, "parameters") == 182410);
  auto const losses = logged_losses(out);
  REQUIRE(losses.size() == 3);
  CHECK(metric(out, "loss") == Approx((losses[0] + losses[1] + losses[2]) / 3));
  for (const char* const name : {"target_and_prior", "forward_process", "samples_at_0", "samples_at_1", "samples_at_2",
                                 "loss", "ddpm", "ddim"}) {
    INFO(name);
    CHECK(stipple::read_png(out / (std::string(name) + ".png")).size() > 0);
  }
  CHECK_FALSE(std::filesystem::exists(out / "samples_at_3.png"));
  CHECK(metric(out, "seed") == 1);
  // The numbers count from 0: 0 is after the first step.
  auto const first = folder / "first";
  require_success(points2d(first, "--steps 1"));
  CHECK(bytes_of(first / "samples_at_0.png") == bytes_of(out / "samples_at_0.png"));
  CHECK(bytes_of(first / "samples_at_0.png") != bytes_of(out / "samples_at_1.png"));
}

TEST_CASE("points2d: a resumed run ends with the same bytes, on any number of threads") {
  ScratchFolder const folder;
  auto const whole = folder / "whole", parts = folder / "parts";
  require_success(points2d(whole, "--steps 7 --threads 2"));
  require_success(points2d(parts, "--steps 4 --threads 1"));
  CHECK(checkpoint_bytes(parts) != checkpoint_bytes(whole));
  require_success(points2d(parts, "--steps 7 --threads 1 --resume"));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(logged_losses(parts) == logged_losses(whole));
  for (const char* const name : {"chamfer_ddpm", "chamfer_ddim", "loss"})
    CHECK(metric(parts, name) == metric(whole, name));
  CHECK(bytes_of(parts / "ddpm.png") == bytes_of(whole / "ddpm.png"));
}

TEST_CASE("points2d: the other recipe, interrupted by a signal and resumed") {
  ScratchFolder const folder;
  auto const whole = folder / "whole", parts = folder / "parts";
  auto const options = "--recipe best --precision bf16 --dataset moon --steps 500 --seed 3";
  auto const outcome = require_success(points2d(whole, options));
  CHECK(outcome.output.find("DPM-Solver++ Chamfer Distance: ") != std::string::npos);
  CHECK(metric(whole, "chamfer_dpm_solver") > 0);
  require_interrupted(points2d(parts, options), parts);
  CHECK(logged_losses(parts).size() < 500);
  CHECK_FALSE(std::filesystem::exists(parts / "metrics.json"));
  CHECK(stipple::read_png(parts / "loss.png").size() > 0);
  require_success(points2d(parts, options + std::string(" --resume")));
  CHECK(checkpoint_bytes(parts) == checkpoint_bytes(whole));
  CHECK(metric(parts, "chamfer_dpm_solver") == metric(whole, "chamfer_dpm_solver"));
}

TEST_CASE("points2d: what cannot be done is said in a sentence") {
  ScratchFolder const folder;
  auto const out = folder / "run";
  auto const help = require_success(program("points2d") + " --help").output;
  for (const char* const option :
       {"--dataset", "--steps", "--recipe", "--out", "--seed", "--threads", "--device", "--precision", "--resume",
        "--checkpoint-every", "--data", "--quiet", "CS479", "00960236", "Time to expect", "dpm_solver.png"})
    CHECK(help.find(option) != std::string::npos);
  require_failure(points2d(out, "--dataset rolls"), 2, "--dataset");
  require_failure(points2d(out, "--steps 0"), 2, "--steps");
  require_failure(points2d(out, "--steps many"), 2, "--steps");
  require_failure(points2d(out, "--threads 0"), 2, "--threads");
  require_failure(points2d(out, "--precision fp16"), 2, "--precision");
  for (const char* const device : {"tpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", "cpu:0"})
    require_failure(points2d(out, std::string("--device ") + device), 2, "wanted cpu, cuda, or cuda:N");
  require_failure(points2d(out, "--precision tf32"), 1, "--precision tf32 is arithmetic of a GPU");
  require_failure(points2d(out, "--colour red"), 2, "--colour");
  auto const on_vax = "STIPPLE_ISA=vax " + points2d(out, "--steps 1");
  require_failure(on_vax, 1, "points2d: STIPPLE_ISA: given vax, wanted one of portable, avx2");
  CHECK(require_success("STIPPLE_NUM_THREADS=917 " + on_vax + " --help").output.find("917") != std::string::npos);
  require_failure(points2d(out, "--steps 1 --resume"), 1, "no checkpoint");
  CHECK_FALSE(std::filesystem::exists(out / "metrics.json"));
  put_bytes(folder / "file", "");
  require_failure(points2d(folder / "file/run", "--steps 1"), 1, "cannot create the folder");
  require_success(points2d(out, "--steps 1"));
  require_failure(points2d(out, "--steps 2 --resume --seed 2"), 1, "is of another run");
}

TEST_CASE("points2d: on a GPU, or a sentence that says what is missing") {
  ScratchFolder const folder;
  auto const outcome = run_shell(points2d(folder / "run", "--steps 3 --device cuda"));
  INFO(outcome.output);
  if (outcome.code == 0) {
    CHECK(metric(folder / "run", "chamfer_ddpm") > 0);
  } else {
    CHECK(outcome.code == 1);
    CHECK(outcome.output.find("points2d: --device cuda: ") != std::string::npos);
  }
  require_failure(points2d(folder / "none", "--steps 3 --device cuda:1000"), 1, "points2d: --device cuda");
}
