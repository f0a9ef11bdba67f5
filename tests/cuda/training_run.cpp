// Runs on the GPU: the trainer, checkpoints that change the device, recorded steps and samplers.
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/recorded_denoiser.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/ops/concat.hpp>
#include <stipple/ops/embedding.hpp>

#include "points_run.hpp"
#include "training.hpp"

using namespace stipple;

namespace {

/// Trains until `steps` steps are done, from the folder's checkpoint if there is one.
template <class D>
Tensor<float> train(const FilePath& out, std::int64_t steps) {
  auto model = points_model<float, D>();
  Trainer trainer(model, points_optimizer, points_config(out));
  if (std::filesystem::exists(trainer.checkpoint_path())) trainer.resume();
  auto const ddpm = points_ddpm();
  auto const result = trainer.fit_steps(points_data(), steps, [&](const PointBatch& batch, Rng& rng) {
    return ddpm.loss(model, to<D>(batch.points), rng);
  });
  REQUIRE(result.step == steps);
  return to<Cpu>(model.weights());
}

}  // namespace

TEST_CASE("A run on the GPU that was stopped and goes on ends with the same bytes", "[train]") {
  ScratchFolder const folder;
  (void)train<Cuda>(folder / "whole", 6);
  (void)train<Cuda>(folder / "parts", 4);
  (void)train<Cuda>(folder / "parts", 6);
  REQUIRE(bytes_of(folder / "parts" / "checkpoint.safetensors") ==
          bytes_of(folder / "whole" / "checkpoint.safetensors"));
}

TEST_CASE("The memory that progress shows is the GPU's", "[train]") {
  cuda::reset_peak_memory();
  std::size_t const host = peak_memory<Cpu>(), before = peak_memory<Cuda>();
  Tensor<float, Cuda> const x({1 << 20});
  CHECK(peak_memory<Cuda>() >= before + sizeof(float) * (1 << 20));
  CHECK(peak_memory<Cpu>() == host);
}

TEST_CASE("A run on the GPU logs every step, with the numbers that it has on the CPU", "[train]") {
  ScratchFolder const folder;
  (void)train<Cuda>(folder / "gpu", 7);
  (void)train<Cpu>(folder / "cpu", 7);
  auto const lines = [&](const FilePath& path) {
    std::vector<Json> all;
    std::string const text = bytes_of(path);
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      all.push_back(parse_json(std::string_view(text).substr(begin, end - begin), "log"));
    return all;
  };
  auto const gpu = lines(folder / "gpu" / "log.jsonl"), cpu = lines(folder / "cpu" / "log.jsonl");
  REQUIRE(cpu.size() == 7);
  REQUIRE(gpu.size() == 7);
  for (std::size_t i = 0; i < 7; ++i) {
    REQUIRE(gpu[i].size() == cpu[i].size());
    for (auto const* const exact : {"step", "epoch", "learning_rate"}) REQUIRE(gpu[i].at(exact) == cpu[i].at(exact));
    for (auto const* const close : {"loss", "gradient_norm", "epoch_loss"})
      if (cpu[i].contains(close))
        REQUIRE(gpu[i].at(close).get<double>() == Approx(cpu[i].at(close).get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("A loss on the GPU that is not finite changes no weights", "[train]") {
  for (bool const clips : {true, false}) {
    ScratchFolder const folder;
    auto model = points_model<float, Cuda>();
    auto config = points_config(folder / "run");
    if (!clips) config.max_norm = std::numeric_limits<double>::infinity();
    Trainer trainer(model, points_optimizer, config);
    Tensor<float> before;
    auto const ddpm = points_ddpm();
    auto const spoiled = [&](const PointBatch& batch, Rng& rng) {
      auto points = batch.points.clone();
      if (trainer.step() == 4) before = to<Cpu>(model.weights());
      if (trainer.step() >= 4) points.fill(std::numeric_limits<float>::quiet_NaN());
      return ddpm.loss(model, to<Cuda>(points), rng);
    };
    require_error([&] { trainer.fit_steps(points_data(), 9, spoiled); },
                  "the loss of step 5 is not a number; all weights are finite: look at the data and the loss");
    require_same(model.weights(), before);
  }
}

TEST_CASE("A run goes on with the checkpoint of another device", "[train]") {
  ScratchFolder const folder;
  auto const whole = train<Cpu>(folder / "cpu", 8);
  (void)train<Cuda>(folder / "mixed", 3);
  (void)train<Cpu>(folder / "mixed", 5);
  auto const mixed = train<Cuda>(folder / "mixed", 8);
  REQUIRE(relative_difference(mixed, whole) <= 1e-4);
}

TEMPLATE_TEST_CASE("Checkpoints of the GPU and of the CPU are the same files", "[train]", float, bf16) {
  ScratchFolder const folder;
  auto cpu = points_model<TestType, Cpu>();
  cpu.track_ema({.decay = 0.5});
  for (int step = 0; step < 2; ++step) {
    Rng rng(static_cast<std::uint64_t>(step));
    points_ddpm().loss(cpu, random_tensor<float>({4, 2}, 1), rng).backward();
    points_optimizer.step(cpu);
  }
  TrainingState state;
  state.step = 2;
  save_checkpoint(folder / "cpu", cpu, state);
  auto gpu = points_model<TestType, Cuda>(2);
  REQUIRE(load_checkpoint(folder / "cpu", gpu).step == 2);
  require_same(gpu.weights(), cpu.weights());
  require_same(std::as_const(gpu).ema_state().weights, std::as_const(cpu).ema_state().weights);
  if constexpr (std::is_same_v<TestType, bf16>) require_same(gpu.working_weights(), cpu.working_weights());
  save_checkpoint(folder / "gpu", gpu, state);
  REQUIRE(bytes_of(folder / "gpu") == bytes_of(folder / "cpu"));
  auto again = points_model<TestType, Cpu>(3);
  load_checkpoint(folder / "gpu", again);
  REQUIRE(max_abs_difference(again.weights(), cpu.weights()) == 0);

  save_weights(folder / "cpu_weights", cpu, WeightSet::ema);
  save_weights(folder / "gpu_weights", gpu, WeightSet::ema);
  REQUIRE(bytes_of(folder / "gpu_weights") == bytes_of(folder / "cpu_weights"));
  auto other = points_model<TestType, Cuda>(4);
  load_weights(folder / "cpu_weights", other);
  require_same(other.weights(), std::as_const(cpu).ema_state().weights);
}

TEST_CASE("Recorded samplers have the bits of samplers that are not", "[samplers][graph]") {
  Rng rng(5);
  TimeLinearNet<float, Cuda> const net({2, 16, 2}, rng);
  auto const schedule = linear_schedule({.num_train_timesteps = 100});
  auto const x_T = draw_normal<Cuda>(rng, {4, 2}, Purpose::sample);
  auto const sample = [&](auto const& denoise) {
    Rng noise(6);
    return to<Cpu>(sample_ddpm(denoise, x_T, schedule, noise, {.steps = 6}));
  };
  auto const replayed = recorded<Cuda>(net);
  auto const wanted = sample(net);
  REQUIRE(max_abs_difference(sample(replayed), wanted) == 0);
  REQUIRE(replayed.recorded());
  REQUIRE(max_abs_difference(sample(replayed), wanted) == 0);

  auto const labelled = [&](const Tensor<float, Cuda>& x, const Tensor<float, Cuda>& t,
                            const Tensor<std::int32_t, Cuda>& labels) {
    return ops::add(denoiser(net)(x, t), ops::slice_last(ops::one_hot<float>(labels, 3), 0, 1));
  };
  Tensor<std::int32_t, Cuda> const labels({4}, {1, 2, 1, 2});
  auto const guides = recorded<Cuda>(labelled);
  REQUIRE(max_abs_difference(sample(guided(guides, labels, {.scale = 2})),
                             sample(guided(labelled, labels, {.scale = 2}))) == 0);
  REQUIRE(guides.recorded());
}
