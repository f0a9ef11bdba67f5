// Training steps that are replayed as one graph, against those that are not.
#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/diffusion/edm.hpp>
#include <stipple/diffusion/flow.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/optim/sgd.hpp>

#include "points_run.hpp"
#include "training.hpp"

using namespace stipple;

namespace {

/// Trains until `steps` steps are done, from the folder's checkpoint if there is one; returns the new checkpoint.
template <class T, class Optimizer, class Objective>
std::string train(const TrainerConfig& config, const Optimizer& optimizer, const Objective& objective,
                  std::int64_t steps, bool records) {
  auto model = points_model<T, Cuda>();
  Trainer trainer(model, optimizer, config);
  if (std::filesystem::exists(trainer.checkpoint_path())) trainer.resume();
  DiffusionStep step(model, objective);
  cuda::Upload upload;
  if (records)
    trainer.fit_steps(points_data(), steps,
                      [&](const PointBatch& batch, Rng& rng) { return step(upload(batch.points), rng); });
  else
    trainer.fit_steps(points_data(), steps, [&](const PointBatch& batch, Rng& rng) {
      return objective.loss(model, upload(batch.points), rng);
    });
  REQUIRE(step.recorded() == records);
  REQUIRE(step.why_not().empty());
  return bytes_of(trainer.checkpoint_path());
}

/// Requires the same weights, moments, averages, random states and sums of losses after nine steps, at once and in two
/// runs.
template <class T, class Optimizer, class Objective>
void require_same_run(const Optimizer& optimizer, double max_norm, const Objective& objective) {
  ScratchFolder const folder;
  auto config = points_config({});
  config.max_norm = max_norm;
  config.ema_warmup = true;
  config.schedule = CosineDecay{.steps = 12, .warmup = 4};
  auto const run = [&](const char* name, std::int64_t steps, bool records) {
    config.out = folder / name;
    return train<T>(config, optimizer, objective, steps, records);
  };
  auto const wanted = run("ordinary", 9, false);
  REQUIRE(run("recorded", 9, true) == wanted);
  (void)run("parts", 5, true);
  REQUIRE(run("parts", 9, true) == wanted);
}

}  // namespace

TEMPLATE_TEST_CASE("Recorded training steps have the bits of steps that are not", "[train][graph]", float, bf16) {
  double const never = std::numeric_limits<double>::infinity();
  auto const ddpm = [](Prediction prediction) { return Ddpm(points_ddpm().schedule, {.prediction = prediction}); };
  require_same_run<TestType>(points_optimizer, 0.05, points_ddpm());  // clips every step
  require_same_run<TestType>(Adam{{.learning_rate = 1e-2, .weight_decay = 0.1, .amsgrad = true}}, 1e6, Edm{});
  require_same_run<TestType>(Adam{{.learning_rate = 1e-2}}, never, ddpm(Prediction::x0));
  require_same_run<TestType>(Sgd{{.learning_rate = 1e-2, .momentum = 0.9, .nesterov = true}}, 1, ddpm(Prediction::v));
  require_same_run<TestType>(Sgd{{.learning_rate = 1e-2}}, never, FlowMatching{});
}

TEST_CASE("DiffusionStep: by hand, whatever changes between the steps", "[train][graph]") {
  auto const run = [](bool records) {
    auto model = points_model<float, Cuda>();
    auto const ddpm = points_ddpm();
    DiffusionStep step(model, ddpm);
    Rng rng(3);
    auto const steps = [&](int count, Index batch, auto const& optimizer, const StepOptions& options) {
      for (int i = 0; i < count; ++i) {
        Training const training(rng);
        auto const x = to<Cuda>(random_tensor<float>({batch, 2}, static_cast<std::uint64_t>(i)));
        if (records) {
          (void)step(x, rng).update(optimizer, options);
        } else {
          ddpm.loss(model, x, rng).backward();
          (void)optimizer.step(model, options);
        }
      }
    };
    steps(4, 4, points_optimizer, {});
    steps(4, 4, points_optimizer, {.learning_rate_factor = 0.5, .max_norm = 0.1});
    model.track_ema({.decay = 0.5});
    steps(2, 4, points_optimizer, {.max_norm = 0.1});
    model.drop_ema();
    steps(4, 4, points_optimizer, {.max_norm = 0.2});
    REQUIRE(step.recorded() == records);
    model.reset_optimizer();
    steps(4, 4, Sgd{{.learning_rate = 0.01, .momentum = 0.5}}, {.max_norm = 0.2});
    steps(1, 7, Sgd{{.learning_rate = 0.02, .momentum = 0.5}}, {.max_norm = 0.2});
    steps(2, 4, Sgd{{.learning_rate = 0.02, .momentum = 0.7}}, {.max_norm = 0.2});
    REQUIRE(step.recorded() == records);
    REQUIRE(step.why_not().empty());
    REQUIRE(rng.draws() == 3 * 21);
    return to<Cpu>(model.weights());
  };
  REQUIRE(max_abs_difference(run(true), run(false)) == 0);
}

TEST_CASE("DiffusionStep: a loss that is read before the update, and one that is used twice", "[train][graph]") {
  auto gpu = points_model<float, Cuda>();
  auto cpu = points_model<float, Cpu>();
  DiffusionStep on_gpu(gpu, points_ddpm());
  DiffusionStep on_cpu(cpu, points_ddpm());
  Rng rng(3), same(3);
  for (int i = 0; i < 6; ++i) {
    auto const x = random_tensor<float>({4, 2}, static_cast<std::uint64_t>(i));
    auto const a = on_gpu(to<Cuda>(x), rng);
    auto const b = on_cpu(x, same);
    if (i % 3 == 1) REQUIRE(a.item() == Approx(b.item()).epsilon(1e-4));
    double const norm = a.update(points_optimizer, {.max_norm = 1});
    REQUIRE(norm == Approx(b.update(points_optimizer, {.max_norm = 1}).value()).epsilon(1e-4));
    REQUIRE(a.item() == Approx(b.item()).epsilon(1e-4));
    a.backward();  // which was done
    REQUIRE(gpu.gradients_are_fresh());
  }
  REQUIRE(on_gpu.recorded());
  REQUIRE(rng.draws() == same.draws());
  REQUIRE(relative_difference(to<Cpu>(gpu.weights()), cpu.weights()) <= 1e-4);
}

TEST_CASE("DiffusionStep: a step adds to gradients that are there", "[train][graph]") {
  auto gpu = points_model<float, Cuda>();
  auto cpu = points_model<float, Cpu>();
  DiffusionStep on_gpu(gpu, points_ddpm());
  DiffusionStep on_cpu(cpu, points_ddpm());
  Rng rng(3), same(3);
  for (int i = 0; i < 5; ++i) {
    auto const x = random_tensor<float>({4, 2}, static_cast<std::uint64_t>(i));
    auto const a = on_gpu(to<Cuda>(x), rng);
    auto const b = on_cpu(x, same);
    a.backward();
    REQUIRE(a.item() == Approx(b.item()).epsilon(1e-4));
    if (i == 2) continue;  // step 3 adds to the gradients of step 2
    REQUIRE(relative_difference(to<Cpu>(gpu.gradients()), cpu.gradients()) <= 1e-4);
    gpu.zero_grad();
    cpu.zero_grad();
  }
  REQUIRE(on_gpu.recorded());
}

TEST_CASE("DiffusionStep: dropout from another Rng than the noise is not recorded", "[train][graph]") {
  auto const run = [](bool by_step) {
    auto model = points_model<float, Cuda>();
    auto const ddpm = points_ddpm();
    DiffusionStep step(model, ddpm);
    Rng rng(3), masks(4);
    Training const training(masks);
    for (int i = 0; i < 4; ++i) {
      auto const x = to<Cuda>(random_tensor<float>({4, 2}, 1));
      if (by_step) {
        (void)step(x, rng).update(points_optimizer);
      } else {
        ddpm.loss(model, x, rng).backward();
        (void)points_optimizer.step(model);
      }
    }
    REQUIRE_FALSE(step.recorded());
    return to<Cpu>(model.weights());
  };
  REQUIRE(max_abs_difference(run(true), run(false)) == 0);
}
