// Trains the U-Net on time, or on time and class, on MNIST and samples from it, in one element type.
#pragma once

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include <stipple/diffusion/ddpm.hpp>
#include <stipple/diffusion/guidance.hpp>
#include <stipple/io/gif.hpp>
#include <stipple/models/berkeley_unet.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "common/device.hpp"
#include "common/fid.hpp"
#include "common/idx_data.hpp"
#include "common/measure.hpp"
#include "common/pictures.hpp"
#include "common/training_data.hpp"
#include "common/training_log.hpp"
#include "mnist_guided/options.hpp"

namespace mnist_guided {

/// The network as Ddpm and samplers call it, with t from 0 to T - 1: it is told the course's t = 1 ... T, divided by T.
template <class T, class D>
struct CountedFromZero {
  using element = T;
  using device = D;

  const st::BerkeleyUnet<T, D>& net;
  int timesteps;

  template <class... Labels>
  st::Var<T, D> operator()(const st::Var<T, D>& x, const st::Tensor<st::accumulate_t<T>, D>& t,
                           const Labels&... labels) const {
    return net(x, st::ops::affine(t, 1.0 / timesteps, 1.0 / timesteps), labels...);
  }
};

template <class T, class D>
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        data_(example::idx_images("mnist", options.data)),
        net_(make_net(options)),
        trainer_(net_, st::Adam{{.learning_rate = options.learning_rate}}, trainer_config()),
        sampler_(options.samples.sampler.for_timesteps(options.timesteps, "--sample-steps")),
        fid_(options.fid, options, "mnist", options.timesteps, own_guidance()) {
    trainer_.sample = [this](std::int64_t step) { end_epoch(step); };
  }

  int operator()() {
    example::open_run(trainer_, options_);
    describe();
    auto const result = train();
    example::TrainingLog const log(out_ / "log.jsonl");
    log.plot(out_ / "loss.png", 50);
    if (result.signal != 0) return example::interrupted(result);
    double const rate = static_cast<double>(options_.images_seen(data_.size(), log.step_count())) / log.seconds;
    auto metrics = options_.to_json();
    metrics["seed"] = options_.seed;
    metrics.update(options_.noise.to_json());
    metrics.update(sampler_.to_json());
    metrics["sample_seed"] = sample_seed();
    if (options_.has_classes()) metrics["guidance"] = options_.guidance;
    metrics["parameters"] = example::parameter_count(net_);
    metrics["steps"] = result.step;
    metrics["epoch_losses"] = result.epoch_losses;
    metrics["loss"] = log.mean_of_last(50);
    metrics["train_seconds"] = log.seconds;
    metrics["examples_per_second"] = rate;
    example::Stopwatch const watch;
    sample(result.step);
    metrics["sample_seconds"] = watch.seconds();
    metrics["peak_tensor_mib"] = example::peak_tensor_memory<D>();
    if (int const code = write_figures(metrics); code != 0) return code;
    for (std::size_t i = 0; i < result.epoch_losses.size(); ++i)
      std::printf("Mean loss of epoch %zu: %.5f\n", i + 1, result.epoch_losses[i]);
    std::printf("Mean loss of the last 50 steps: %.5f\n", log.mean_of_last(50));
    std::printf("%.1f examples/sec on %d threads\n", rate, st::num_threads());
    std::printf("Pictures, metrics.json and log.jsonl are in %s\n", out_.c_str());
    return 0;
  }

 private:
  using Net = st::BerkeleyUnet<T, D>;
  static constexpr st::Index classes = 10;

  static st::Model<Net> make_net(const Options& options) {
    st::Rng rng(options.seed);
    return st::Model<Net>(
        Net({.width = options.width, .time = true, .classes = options.has_classes() ? classes : 0}, rng));
  }
  CountedFromZero<T, D> network() const { return {net_.net(), options_.timesteps}; }
  std::int64_t total_steps() const { return options_.total_steps(data_.size()); }

  st::TrainerConfig trainer_config() const {
    auto config = options_.trainer_config();
    config.results = {"metrics.json",       "loss.png",           "samples_epoch_*.png", "samples_epoch_*.gif",
                      "samples_step_*.png", "samples_step_*.gif", "fid_steps.png",       "fid_guidance.png"};
    config.sample_every = options_.steps_per_epoch(data_.size());
    config.configuration = options_.to_json();
    example::add_training_data(config.configuration, data_);
    config.schedule = st::StepDecay{.every = config.sample_every, .factor = options_.decay};
    return config;
  }

  void describe() const {
    example::announce(options_, "%lld images, %lld parameters, %lld steps of %lld images, %s",
                      static_cast<long long>(data_.size()), static_cast<long long>(example::parameter_count(net_)),
                      static_cast<long long>(total_steps()), static_cast<long long>(options_.batch),
                      options_.precision.c_str());
  }

  st::TrainingResult train() {
    return trainer_.fit_steps(data_, total_steps(), [this](const st::ImageBatch& batch, st::Rng& rng) {
      auto const x = input_(example::to_unit_range(batch.images));
      if (!options_.has_classes()) return ddpm_.loss(network(), x, rng);
      auto const labels = st::drop_labels(batch.labels, options_.unconditional, Net::no_class, rng);
      return ddpm_.loss(network(), x, rng, input_(labels));
    });
  }

  // Samples after the first epoch and every fifth; those of the end come after training.
  void end_epoch(std::int64_t step) const {
    auto const epoch = trainer_.epoch_losses().size();
    example::announce(options_, "epoch %zu: mean loss %.5f", epoch, trainer_.epoch_losses().back());
    if ((epoch == 1 || epoch % 5 == 0) && step < total_steps()) sample(step);
  }

  std::uint64_t sample_seed() const { return options_.samples.seed.value_or(options_.seed + 1); }

  // From the same noise each time: a picture of the samples, and an animation of how they came.
  void sample(std::int64_t step) const {
    auto const name = "samples_" + options_.step_name(data_.size(), step);
    st::Index const n = options_.sample_count;
    st::Rng rng(sample_seed());
    auto const x_T = st::to<D>(rng.normal(data_.images.shape().with(0, n)));
    st::Progress progress(0, sampler_.steps, options_.quiet, st::peak_memory<D>);
    std::vector<st::Tensor<std::uint8_t>> frames;
    auto const callback = [&](const st::SamplerStep& now) {
      if (is_kept(now)) frames.push_back(grid(now.x));
      progress.update(now.index + 1, std::numeric_limits<double>::quiet_NaN());
      return true;
    };
    if (options_.has_classes()) {
      st::Tensor<std::int32_t> labels({n});
      for (st::Index i = 0; i < n; ++i) labels.data()[i] = static_cast<std::int32_t>(i % classes);
      example::run_sampler<D>(sampler_, guided(labels, options_.guidance), x_T, ddpm_.schedule, rng, callback);
    } else {
      example::run_sampler<D>(sampler_, network(), x_T, ddpm_.schedule, rng, callback);
    }
    st::write_png(out_ / (name + ".png"), frames.back());
    st::write_gif(out_ / (name + ".gif"), frames, {.delay_ms = 100, .last_delay_ms = 1500});
  }

  std::optional<double> own_guidance() const {
    return options_.has_classes() ? std::optional(options_.guidance) : std::nullopt;
  }
  auto guided(const st::Tensor<std::int32_t>& labels, double scale) const {
    return st::guided(network(), st::to<D>(labels),
                      {.scale = scale, .form = st::GuidanceForm::interpolate, .null_label = Net::no_class});
  }

  int write_figures(const st::Json& metrics) {
    auto const sample = [this](const example::SampleBatch& batch) {
      auto const draw = [&](auto const& denoiser) {
        return example::draw_samples<D>(denoiser, ddpm_.schedule, "small", batch);
      };
      return example::from_unit_range(batch.how.guidance ? draw(guided(batch.labels, *batch.how.guidance))
                                                         : draw(network()));
    };
    return fid_.write(metrics, {.training = data_,
                                .classes = options_.has_classes() ? classes : 0,
                                .weights = example::hash_of_weights(net_, false),
                                .sample = sample});
  }

  // The course's caches, of x after the step at t = 1 ... T; every step of a sampler with fewer.
  bool is_kept(const st::SamplerStep& step) const {
    auto const t = static_cast<int>(step.timestep) + 1;
    return step.steps < options_.timesteps || t % 20 == 0 || t == options_.timesteps || t < 8;
  }

  static st::Tensor<std::uint8_t> grid(const st::Tensor<float>& x) {
    return st::make_grid(example::visible_pixels(example::from_unit_range(x)), {.columns = classes, .scale = 2});
  }

  Options options_;
  st::FilePath out_ = options_.out;
  st::ImageDataset data_;
  st::Ddpm ddpm_{options_.noise(options_.timesteps)};
  st::Model<Net> net_;
  example::Input<D> input_;
  st::Trainer<Net, st::Adam> trainer_;
  example::Sampler sampler_;
  example::FidReport fid_;
};

}  // namespace mnist_guided
