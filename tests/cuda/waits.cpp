// Steps for which the host does not wait, as the simulation counts.
#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/diffusion/recorded_denoiser.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/optim/sgd.hpp>

#include "points_run.hpp"
#include "simulation/streams.hpp"

using namespace stipple;

TEST_CASE("No operation of a training step waits for the GPU", "[train][waits]") {
  auto model = points_model<float, Cuda>();
  model.track_ema({.decay = 0.9});
  auto const ddpm = points_ddpm();
  auto const x0 = to<Cuda>(random_tensor<float>({8, 2}, 1));
  Rng rng(3);
  LateNumber norm;
  auto const steps = [&](auto const& optimizer) {
    model.reset_optimizer();
    auto const before = cuda::simulation::waits();
    for (int step = 0; step < 4; ++step) {
      Training const training(rng);
      ddpm.loss(model, x0, rng).backward();
      norm = optimizer.step(model, {.max_norm = 1});
    }
    auto const after = cuda::simulation::waits();
    REQUIRE(after.for_streams == before.for_streams);
    REQUIRE(after.for_moments == before.for_moments);
    REQUIRE(norm > 0);
    REQUIRE(cuda::simulation::waits().for_moments == before.for_moments + 1);
  };
  steps(points_optimizer);
  steps(Sgd{{.learning_rate = 0.01, .momentum = 0.9}});
}

TEST_CASE("The trainer waits for the step before, never for all work", "[train][waits]") {
  auto model = points_model<float, Cuda>();
  ScratchFolder const folder;
  auto const config = points_config(folder / "run");
  auto const x0 = to<Cuda>(random_tensor<float>({8, 2}, 1));
  Trainer trainer(model, points_optimizer, config);
  DiffusionStep step(model, points_ddpm());
  std::vector<cuda::simulation::Waits> waits;
  trainer.train(6, [&](Rng& rng) {
    waits.push_back(cuda::simulation::waits());
    return step(x0, rng);
  });
  REQUIRE(step.recorded());
  REQUIRE(waits.size() == 6);
  for (std::size_t i = 1; i < 6; ++i) {
    INFO("step " << i);
    REQUIRE(waits[i].for_streams == waits[0].for_streams);
    // The numbers of step n are read when step n + 1 has been put into the stream.
    REQUIRE(waits[i].for_moments - waits[0].for_moments <= 2 * (static_cast<int>(i) - 1));
  }
}

TEST_CASE("Samplers wait for nothing between their steps", "[samplers][waits]") {
  Rng rng(5);
  TimeLinearNet<float, Cuda> const net({2, 16, 2}, rng);
  auto const schedule = linear_schedule({.num_train_timesteps = 100});
  auto const x_T = draw_normal<Cuda>(rng, {4, 2}, Purpose::sample);
  auto const replayed = recorded<Cuda>(net);
  auto const before = cuda::simulation::waits();
  auto const ancestral = sample_ddpm(replayed, x_T, schedule, rng, {.steps = 6, .clip_sample = true});
  auto const implicit = sample_ddim(replayed, x_T, schedule, rng, {.steps = 6, .eta = 0.5});
  auto const multistep = sample_dpm_solver(replayed, x_T, schedule, {.steps = 6, .order = 3});
  REQUIRE(replayed.recorded());
  REQUIRE(cuda::simulation::waits().for_streams == before.for_streams);
  REQUIRE(cuda::simulation::waits().for_moments == before.for_moments);
  for (auto const* const x : {&ancestral, &implicit, &multistep}) REQUIRE(std::isfinite(to<Cpu>(*x).span()[0]));
}
