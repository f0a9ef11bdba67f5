// Trains the points network and samples from it, in one element type.
#pragma once

#include <cstdio>

#include <stipple/data/points.hpp>
#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/diffusion/recorded_denoiser.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/metrics/chamfer.hpp>
#include <stipple/models/time_linear_net.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "common/device.hpp"
#include "common/measure.hpp"
#include "common/training_log.hpp"
#include "points2d/figures.hpp"
#include "points2d/options.hpp"

namespace points2d {

template <class T, class D>
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options), net_(make_net(options)), trainer_(net_, optimizer(options), trainer_config(options)) {
    st::Rng rng(options.seed);
    data_ = {st::data::points(st::data::point_set_by_name(options.dataset), options.points, rng)};
  }

  int operator()() {
    st::FilePath const out = options_.out;
    example::open_run(trainer_, options_);
    st::Rng const rng(options_.seed);
    plot_target_and_prior(out / "target_and_prior.png", data_.points, rng);
    plot_forward_process(out / "forward_process.png", data_.points, ddpm_.schedule, rng);
    trainer_.sample = [this](std::int64_t step) {
      if (step < options_.steps) plot_iteration(step - 1);  // those of the end come after training
    };
    auto const result = trainer_.fit_steps(data_, options_.steps, [this](const st::PointBatch& batch, st::Rng& rng) {
      return step_(input_(batch.points), rng);
    });
    example::TrainingLog const log(out / "log.jsonl");
    log.plot(out / "loss.png", 50);
    if (result.signal != 0) return example::interrupted(result);
    plot_iteration(result.step - 1);
    st::write_json(out / "metrics.json", evaluate(result, log));
    std::printf("Pictures, metrics.json and log.jsonl are in %s\n", out.c_str());
    return 0;
  }

 private:
  using Net = st::TimeLinearNet<T, D>;

  static st::Model<Net> make_net(const Options& options) {
    st::Rng rng(options.seed);
    return st::Model<Net>(Net({2, 128, 128, 128, 2}, rng));
  }
  static st::Adam optimizer(const Options& options) { return {{.learning_rate = options.best() ? 3e-3 : 1e-3}}; }
  static st::TrainerConfig trainer_config(const Options& options) {
    auto config = options.trainer_config();
    config.results = {"metrics.json", "loss.png", "target_and_prior.png", "forward_process.png", "samples_at_*.png",
                      "ddpm.png",     "ddim.png", "dpm_solver.png"};
    config.batch = options.batch;
    config.shuffle = false;  // the points come in random order
    config.sample_every = options.sample_every;
    config.sample_first = true;
    if (options.best()) {
      config.ema = 0.999;
      config.ema_warmup = true;
      config.schedule = st::CosineDecay{.steps = options.steps, .warmup = options.steps / 50};
    }
    config.configuration = st::Json::object({{"example", "points2d"},
                                             {"dataset", options.dataset},
                                             {"points", options.points},
                                             {"noise_schedule", options.noise_schedule()}});
    return config;
  }

  // What samples: the trained network, or the average of its weights.
  const Net& sampling_net() const { return options_.best() ? net_.ema() : net_.net(); }

  st::Tensor<float, D> prior(st::Index n) const { return st::to<D>(st::Rng(options_.seed).normal({n, 2})); }
  st::Tensor<float> sample_ddpm(st::Index n) const {
    st::Rng rng(options_.seed);
    return st::to<st::Cpu>(st::sample_ddpm(st::recorded<D>(sampling_net()), prior(n), ddpm_.schedule, rng));
  }
  st::Tensor<float> sample_ddim(st::Index n) const {
    return st::to<st::Cpu>(st::sample_ddim(
        st::recorded<D>(sampling_net()), prior(n), ddpm_.schedule,
        {.steps = options_.ddim_steps, .spacing = options_.best() ? st::Spacing::quadratic : st::Spacing::leading}));
  }
  st::Tensor<float> sample_dpm_solver(st::Index n) const {
    return st::to<st::Cpu>(st::sample_dpm_solver(st::recorded<D>(sampling_net()), prior(n), ddpm_.schedule,
                                                 {.steps = options_.ddim_steps, .order = 2}));
  }

  // After `iteration` + 1 steps: the course counts them from 0.
  void plot_iteration(std::int64_t iteration) const {
    auto const name = "samples_at_" + std::to_string(iteration) + ".png";
    auto const target = first_points(data_.points);
    plot_samples(st::FilePath(options_.out) / name, "Samples at " + std::to_string(iteration) + "-iteration", target,
                 sample_ddim(target.dim(0)), 0.6);
  }

  // Samples, draws and measures them; returns what metrics.json holds.
  st::Json evaluate(const st::TrainingResult& result, const example::TrainingLog& log) const {
    auto metrics = options_.to_json();
    metrics["seed"] = options_.seed;
    metrics["learning_rate"] = optimizer(options_).config.learning_rate;
    metrics["ema"] = trainer_config(options_).ema;
    metrics["parameters"] = example::parameter_count(net_);
    metrics["steps"] = result.step;
    metrics["loss"] = log.mean_of_last(500);
    metrics["train_seconds"] = log.seconds;
    measure(metrics, "ddpm", "DDPM", [&](st::Index n) { return sample_ddpm(n); });
    measure(metrics, "ddim", "DDIM", [&](st::Index n) { return sample_ddim(n); });
    if (options_.best())
      measure(metrics, "dpm_solver", "DPM-Solver++", [&](st::Index n) { return sample_dpm_solver(n); });
    return metrics;
  }
  template <class Sample>
  void measure(st::Json& metrics, const std::string& name, const char* label, const Sample& sample) const {
    st::Index const n = std::min(options_.sample_count, data_.size());
    auto const target = data_.points.slice(0, n);
    example::Stopwatch const watch;
    auto const points = sample(n);
    metrics["sample_seconds_" + name] = watch.seconds();
    double const distance = st::chamfer_distance(points, target);
    metrics["chamfer_" + name] = distance;
    std::printf("%s Chamfer Distance: %.4f\n", label, distance);
    plot_samples(st::FilePath(options_.out) / (name + ".png"), std::string(label) + " samples", target, points, 0.1);
  }

  Options options_;
  st::Ddpm ddpm_{st::schedule_by_name(options_.noise_schedule(), Options::num_train_timesteps)};
  st::PointDataset data_;
  st::Model<Net> net_;
  example::Input<D> input_;
  st::DiffusionStep<Net, st::Ddpm> step_{net_, ddpm_};
  st::Trainer<Net, st::Adam> trainer_;
};

}  // namespace points2d
