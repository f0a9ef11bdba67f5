// Trains the attention U-Net on MNIST and samples from it, in one element type.
#pragma once

#include <cstdio>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <stipple/data/transform.hpp>
#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/models/radboud_unet.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "common/device.hpp"
#include "common/fid.hpp"
#include "common/idx_data.hpp"
#include "common/measure.hpp"
#include "common/pictures.hpp"
#include "common/training_data.hpp"
#include "common/training_log.hpp"
#include "mnist_attention/options.hpp"

namespace mnist_attention {

template <class T, class D>
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        data_(split(options)),
        net_(make_net(options)),
        trainer_(net_, st::Adam{{.learning_rate = options.learning_rate}}, trainer_config()),
        sampler_(options.samples.sampler.for_timesteps(options.timesteps, "--sample-steps")),
        fid_(options.fid, options, "mnist", options.timesteps) {
    trainer_.validate = [this](std::int64_t step) { return end_epoch(step); };
  }

  int operator()() {
    open();
    describe();
    draw_forward_process();
    auto const result = train();
    if (result.signal != 0) return example::interrupted(result);
    example::TrainingLog const log(out_ / "log.jsonl");
    auto const& epochs = result.epoch_losses;
    double const training = epochs.empty() ? log.mean_of_last(100) : epochs.back();
    double const validation = validation_loss(static_cast<std::uint64_t>(result.step));
    double averaged = 0;
    for (int draw = 0; draw < options_.validation_draws; ++draw)
      averaged += validation_loss(static_cast<std::uint64_t>(draw)) / options_.validation_draws;
    double const rate = static_cast<double>(options_.images_seen(train_set().size(), log.step_count())) / log.seconds;
    auto metrics = options_.to_json();
    metrics["seed"] = options_.seed;
    metrics.update(options_.noise.to_json());
    metrics.update(sampler_.to_json());
    metrics["sample_seed"] = sample_seed();
    metrics["parameters"] = example::parameter_count(net_);
    metrics["steps"] = result.step;
    metrics["epoch_losses"] = epochs;
    metrics["epoch_validation_losses"] = validation_losses_;
    metrics["loss"] = training;
    metrics["validation_loss"] = validation;
    metrics["validation_draws"] = options_.validation_draws;
    metrics["validation_loss_averaged"] = averaged;
    metrics["train_seconds"] = log.seconds;
    metrics["examples_per_second"] = rate;
    sample(metrics);
    metrics["peak_tensor_mib"] = example::peak_tensor_memory<D>();
    if (int const code = write_figures(metrics); code != 0) return code;
    std::printf("training loss %.3g, validation loss %.3g\n", training, validation);
    std::printf("%.1f examples/sec on %d threads\n", rate, st::num_threads());
    std::printf("validation loss averaged over %d draws of t and noise: %.4f\n", options_.validation_draws, averaged);
    std::printf("Pictures, metrics.json and log.jsonl are in %s\n", out_.c_str());
    return 0;
  }

 private:
  using Net = st::RadboudUnet<T, D>;
  using States = std::vector<st::Tensor<float>>;
  static constexpr st::Index classes = 10, shown = 32;

  static std::pair<st::ImageDataset, st::ImageDataset> split(const Options& options) {
    auto const all = st::padded(example::idx_images("mnist", options.data), 2);
    st::require(options.validation_count < all.size(), "--validation-count: given ", options.validation_count, " of ",
                all.size(), " images, wanted some left to train on");
    return st::random_split(all, all.size() - options.validation_count, options.seed);
  }
  static st::Model<Net> make_net(const Options& options) {
    st::Rng rng(options.seed);
    return st::Model<Net>(Net({.width = options.width, .classes = options.conditional ? classes : 0}, rng));
  }
  const st::ImageDataset& train_set() const { return data_.first; }
  const st::ImageDataset& validation_set() const { return data_.second; }
  const Net& net() const { return options_.best() ? net_.ema() : net_.net(); }

  st::TrainerConfig trainer_config() const {
    auto config = options_.trainer_config();
    config.results = {"metrics.json", "loss.png",        "forward_process.png", "noised_batch.png",
                      "history.png",  "fixed_start.png", "deterministic.png",   "history_of_*.png",
                      "digits.png",   "fid_steps.png"};
    config.validate_every = options_.steps_per_epoch(train_set().size());
    config.configuration = options_.to_json();
    example::add_training_data(config.configuration, train_set());
    if (options_.best()) {
      config.ema = 0.999;
      config.ema_warmup = true;
      auto const total = options_.total_steps(train_set().size());
      config.schedule = st::CosineDecay{.steps = total, .warmup = std::min<std::int64_t>(100, total / 10)};
    }
    return config;
  }

  void open() {
    example::open_run(trainer_, options_);
    validation_losses_ =
        example::TrainingLog(out_ / "log.jsonl")
            .validation_by_epoch(trainer_.epoch_losses().size(), options_.steps_per_epoch(train_set().size()));
  }

  void describe() const {
    example::announce(options_, "%lld images and %lld for validation, %lld parameters, %lld steps of %lld images, %s",
                      static_cast<long long>(train_set().size()), static_cast<long long>(validation_set().size()),
                      static_cast<long long>(example::parameter_count(net_)),
                      static_cast<long long>(options_.total_steps(train_set().size())),
                      static_cast<long long>(options_.batch), options_.precision.c_str());
  }

  // One digit on its way to noise, and a batch of them at their own t.
  void draw_forward_process() const {
    st::Loader loader(train_set(), {.batch = shown, .seed = options_.seed, .prefetch = false});
    auto const x0 = loader.next().images, first = x0.slice(0, 1);
    st::Rng rng(options_.seed);
    std::vector<st::ImagePanel> panels;
    for (std::int32_t t = 0; t < options_.timesteps; t += options_.shown_interval()) {
      auto const noise = st::draw_normal(rng, first.shape(), st::Purpose::noise);
      auto const x_t = st::q_sample(ddpm_.schedule, first, st::Tensor<std::int32_t>({1}, t), noise);
      panels.push_back(example::panel("t=" + std::to_string(t), x_t));
    }
    st::plot_images(out_ / "forward_process.png", panels);
    auto const noised = ddpm_.template noised<float>(x0, rng);
    panels.clear();
    for (st::Index i = 0; i < x0.dim(0); ++i)
      panels.push_back(example::panel("t=" + std::to_string(std::lround(noised.t.data()[i])), noised.x_t, i));
    st::plot_images(out_ / "noised_batch.png", panels, {.columns = 8});
  }

  st::TrainingResult train() {
    auto const total = options_.total_steps(train_set().size());
    return trainer_.fit_steps(train_set(), total, [this](const st::ImageBatch& batch, st::Rng& rng) {
      return options_.conditional ? labelled_step_(input_(batch.images), rng, input_(batch.labels))
                                  : step_(input_(batch.images), rng);
    });
  }

  // Validates and plots; returns the validation loss.
  double end_epoch(std::int64_t step) {
    double const loss = validation_loss(static_cast<std::uint64_t>(step));
    auto const& training = trainer_.epoch_losses();
    validation_losses_.resize(training.size());
    validation_losses_.back() = loss;
    example::announce(options_, "epoch %zu: training loss %.4f, validation loss %.4f", training.size(), training.back(),
                      loss);
    example::plot_epochs(out_ / "loss.png", training, validation_losses_);
    return loss;
  }

  // Mean over the validation images of the loss at one t and noise each, which `draw` and the image decide.
  double validation_loss(std::uint64_t draw) const {
    st::NoGrad const no_grad;
    auto const& set = validation_set();
    double sum = 0;
    std::vector<st::Index> samples;
    for (st::Index begin = 0; begin < set.size(); begin += options_.validation_batch) {
      samples.resize(static_cast<std::size_t>(std::min(options_.validation_batch, set.size() - begin)));
      std::iota(samples.begin(), samples.end(), begin);
      auto const batch = set.batch(samples, nullptr);
      st::Rng rng(options_.seed + 1, 2 * draw);  // noised takes two draws
      auto const noised = ddpm_.template noised<T>(st::to<D>(batch.images), rng, static_cast<std::uint64_t>(begin));
      auto const loss =
          options_.conditional ? ddpm_.loss(net(), noised, st::to<D>(batch.labels)) : ddpm_.loss(net(), noised);
      sum += static_cast<double>(loss.item()) * static_cast<double>(samples.size());
    }
    return sum / static_cast<double>(set.size());
  }

  // From x_T; returns ten of the states that the sampler passes, at equal distances, the samples last. Of the course's
  // 1000 timesteps these are 900, 800, ..., 0.
  template <class Denoiser, class Noise>
  States history(const Denoiser& denoiser, const st::Tensor<float>& x_T, Noise&& noise) const {
    constexpr int columns = 10;
    st::Progress progress(0, sampler_.steps, options_.quiet, st::peak_memory<D>);
    States states;
    auto const callback = [&](const st::SamplerStep& step) {
      int const left = step.steps - 1 - step.index;
      bool const is_last = left == 0;
      if (is_last || left * columns / step.steps != (left - 1) * columns / step.steps) states.push_back(step.x);
      progress.update(step.index + 1, std::numeric_limits<double>::quiet_NaN());
      return true;
    };
    example::run_sampler<D>(sampler_, denoiser, st::to<D>(x_T), ddpm_.schedule, noise, callback);
    return states;
  }
  std::uint64_t sample_seed() const { return options_.samples.seed.value_or(options_.seed); }

  void sample(st::Json& metrics) const {
    example::Stopwatch const watch;
    if (options_.conditional)
      sample_digits();
    else
      sample_histories(metrics);
    metrics["sample_seconds"] = watch.seconds();
  }

  // The course's three experiments: its sampler, one start for all samples, and no noise on the way.
  void sample_histories(st::Json& metrics) const {
    st::Rng rng(sample_seed());
    auto const x_T = rng.normal(images(options_.sample_count));
    example::write_history(out_ / "history.png", history(net(), x_T, rng));
    st::Tensor<float> same(x_T.shape());
    for (st::Index i = 0; i < same.dim(0); ++i) same.slice(i, i + 1).copy_from(x_T.slice(0, 1));
    auto const from_same = history(net(), same, rng);
    example::write_history(out_ / "fixed_start.png", from_same);
    metrics["fixed_start_deviation"] = example::deviation(from_same.back());
    auto const no_noise = [](int, const st::Shape& shape) { return st::Tensor<float, D>(shape, 0.0f); };
    example::write_history(out_ / "deterministic.png", history(net(), x_T, no_noise));
  }

  // A history of one digit, the course's is 3, and samples of all digits.
  void sample_digits() const {
    st::Rng rng(sample_seed());
    st::Index const n = options_.sample_count;
    st::Tensor<std::int32_t> const same({n}, options_.label);
    example::write_history(out_ / ("history_of_" + std::to_string(options_.label) + ".png"),
                           history(st::with_labels(net(), st::to<D>(same)), rng.normal(images(n)), rng));
    st::Tensor<std::int32_t> labels({classes * n});
    for (st::Index i = 0; i < labels.size(); ++i) labels.data()[i] = static_cast<std::int32_t>(i / n);
    auto const states = history(st::with_labels(net(), st::to<D>(labels)), rng.normal(images(labels.size())), rng);
    st::write_grid(out_ / "digits.png", states.back(), {.columns = n, .scale = 2});
  }

  int write_figures(const st::Json& metrics) {
    auto const sample = [this](const example::SampleBatch& batch) {
      auto const draw = [&](auto const& denoiser) {
        return example::draw_samples<D>(denoiser, ddpm_.schedule, "large", batch);
      };
      return options_.conditional ? draw(st::with_labels(net(), st::to<D>(batch.labels))) : draw(net());
    };
    return fid_.write(metrics, {.training = train_set(),
                                .classes = options_.conditional ? classes : 0,
                                .weights = example::hash_of_weights(net_, options_.best()),
                                .sample = sample});
  }

  st::Shape images(st::Index count) const { return train_set().images.shape().with(0, count); }

  Options options_;
  st::FilePath out_ = options_.out;
  std::pair<st::ImageDataset, st::ImageDataset> data_;
  st::Ddpm ddpm_{options_.noise(options_.timesteps)};
  st::Model<Net> net_;
  example::Input<D> input_;
  st::DiffusionStep<Net, st::Ddpm> step_{net_, ddpm_};
  st::DiffusionStep<Net, st::Ddpm, st::Tensor<std::int32_t, D>> labelled_step_{net_, ddpm_};
  std::vector<double> validation_losses_;  // after each epoch; NaN where a log that was cut off does not tell it
  st::Trainer<Net, st::Adam> trainer_;
  example::Sampler sampler_;
  example::FidReport fid_;
};

}  // namespace mnist_attention
