// Trains the image U-Net on prepared images, in one element type.
#pragma once

#include <cstdio>
#include <numeric>

#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "afhq/draw.hpp"
#include "afhq/options.hpp"
#include "afhq/prepared.hpp"
#include "common/device.hpp"
#include "common/measure.hpp"
#include "common/pictures.hpp"
#include "common/training_data.hpp"
#include "common/training_log.hpp"

namespace afhq {

template <class T, class D>
class TrainingRun {
 public:
  explicit TrainingRun(const Options& options)
      : options_(options),
        data_(read_prepared(options.data)),
        description_(describe(options, data_)),
        net_(make_net<T, D>(description_, options.seed)),
        trainer_(net_, st::Adam{{.learning_rate = options.learning_rate}}, trainer_config()) {
    trainer_.sample = [this](std::int64_t step) { show(step); };
  }

  int operator()() {
    st::require(options_.batch <= data_.dataset.size(), "--batch: given ", options_.batch, " and ",
                data_.dataset.size(), " images, wanted at least one batch of ", options_.batch);
    example::open_run(trainer_, options_);
    auto config = to_json();
    config["seed"] = options_.seed;
    config.update(options_.noise.to_json());
    if (description_.is_conditional()) config["class_embedding"] = options_.class_embedding;
    config["images"] = data_.dataset.size();
    config["preset"] = options_.preset;
    config["steps"] = options_.steps;
    config["log_interval"] = options_.log_interval;
    config["keep_every"] = options_.keep_every;
    st::write_json(out_ / "config.json", config);
    example::announce(options_, "%lld images of %zu classes, %lld parameters, %lld steps of %lld images, %s, to %s",
                      static_cast<long long>(data_.dataset.size()), data_.classes.size(),
                      static_cast<long long>(example::parameter_count(net_)), static_cast<long long>(options_.steps),
                      static_cast<long long>(options_.batch), options_.precision.c_str(), out_.c_str());
    if (trainer_.step() == 0) show_start();
    auto const result = train();
    if (result.signal != 0) return example::interrupted(result);
    if (result.step % options_.log_interval != 0) show(result.step);
    example::TrainingLog const log(out_ / "log.jsonl");
    double const rate = static_cast<double>(options_.batch * log.step_count()) / log.seconds;
    config["parameters"] = example::parameter_count(net_);
    config["steps"] = result.step;
    config["loss"] = log.mean_of_last(500);
    config["train_seconds"] = log.seconds;
    config["examples_per_second"] = rate;
    config["peak_tensor_mib"] = example::peak_tensor_memory<D>();
    st::write_json(out_ / "metrics.json", config);
    std::printf("Mean loss of the last 500 steps: %.5f\n", log.mean_of_last(500));
    std::printf("%.2f examples/sec on %d threads\n", rate, st::num_threads());
    std::printf("Pictures, checkpoints, metrics.json and log.jsonl are in %s\n", out_.c_str());
    return 0;
  }

 private:
  using Net = st::KaistUnet<T, D>;

  static Description describe(const Options& options, const Prepared& data) {
    Description d;
    d.height = data.dataset.images.dim(1);
    d.width = data.dataset.images.dim(2);
    if (options.conditional) d.classes = data.classes;
    d.timesteps = options.timesteps;
    d.noise = options.noise;
    d.net.width = options.width;
    d.net.mults = options.multipliers;
    if (d.net.mults.size() < 2) d.net.attention_levels.clear();
    d.net.res_blocks = options.res_blocks;
    d.net.dropout = options.dropout;
    d.net.groups = std::gcd(options.width, d.net.groups);
    d.net.classes = static_cast<st::Index>(d.classes.size());
    if (options.class_embedding == "table") d.net.class_form = st::KaistClasses::table;
    d.net.gradient_checkpointing = options.gradient_checkpointing;
    st::Index const multiple = st::Index{1} << (d.net.mults.size() - 1);
    st::require(d.height % multiple == 0 && d.width % multiple == 0, "--multipliers: given ", d.net.mults.size(),
                " levels for images of ", d.height, " x ", d.width, ", wanted sides that are multiples of ", multiple);
    return d;
  }

  // What makes the run what it is.
  st::Json to_json() const {
    auto json = description_.to_json();
    json["p_uncond"] = description_.is_conditional() ? options_.unconditional : 0;
    json["batch"] = options_.batch;
    json["learning_rate"] = options_.learning_rate;
    json["warmup"] = options_.warmup;
    json["flip"] = options_.flip;
    json["ema"] = options_.ema;
    json["gradient_checkpointing"] = options_.gradient_checkpointing;  // sums in another order
    json["precision"] = options_.precision;
    json["seed"] = std::to_string(options_.seed);
    return json;
  }

  st::TrainerConfig trainer_config() const {
    auto config = options_.trainer_config();
    config.results = {"metrics.json", "config.json", "loss.png", "samples.png", "step=*-*.png"};
    config.drop_last = true;
    config.flip = options_.flip;
    config.ema = options_.ema;
    config.schedule = st::LinearWarmup{.steps = options_.warmup, .first = 1};
    config.sample_every = options_.log_interval;
    config.checkpoint_samples = true;
    config.keep_every = options_.keep_every;
    config.configuration = to_json();
    example::add_training_data(config.configuration, data_.dataset);
    return config;
  }

  st::TrainingResult train() {
    return trainer_.fit_steps(data_.dataset, options_.steps, [this](const st::ImageBatch& batch, st::Rng& rng) {
      if (!description_.is_conditional()) return step_(input_(batch.images), rng);
      auto const labels = st::drop_labels(batch.labels, options_.unconditional, Net::no_class, rng);
      return labelled_step_(input_(batch.images), rng, input_(labels));
    });
  }

  // As in the courses, the first samples and checkpoint are of the untrained network. So what is wrong with the folder
  // shows before anything is learnt.
  void show_start() {
    show(0);
    trainer_.save();
  }

  // The loss so far, and four samples by DDIM, always from the same noise; with classes, of one after the other.
  void show(std::int64_t step) const {
    constexpr st::Index count = 4;
    st::NoGrad const no_grad;
    std::vector<st::Index> numbers(count);
    std::iota(numbers.begin(), numbers.end(), st::Index{0});
    st::Tensor<std::int32_t> labels;
    if (description_.is_conditional()) {
      labels = st::Tensor<std::int32_t>({count});
      for (st::Index i = 0; i < count; ++i)
        labels.data()[i] = static_cast<std::int32_t>(i % description_.net.classes + 1);
    }
    SamplerSettings const settings{.sampler = {.name = "ddim", .steps = std::min(50, options_.timesteps)},
                                   .guidance = options_.guidance,
                                   .seed = options_.seed};
    auto const& net = options_.ema > 0 ? net_.ema() : net_.net();
    auto const pixels =
        st::to_uint8(draw_samples<D>(net, description_, settings, numbers, labels, [] { return true; }));
    for (st::Index i = 0; i < count; ++i)
      st::write_png(out_ / ("step=" + std::to_string(step) + "-" + std::to_string(i) + ".png"),
                    pixels.slice(i, i + 1).reshape({pixels.dim(1), pixels.dim(2), pixels.dim(3)}));
    st::write_grid(out_ / "samples.png", pixels, {.columns = count, .scale = 2});
    example::TrainingLog const log(out_ / "log.jsonl");  // this step is not in it yet
    log.plot(out_ / "loss.png", 50);
  }

  Options options_;
  st::FilePath out_ = options_.out;
  Prepared data_;
  Description description_;
  st::Ddpm ddpm_{description_.schedule()};
  st::Model<Net> net_;
  example::Input<D> input_;
  st::DiffusionStep<Net, st::Ddpm> step_{net_, ddpm_};
  st::DiffusionStep<Net, st::Ddpm, st::Tensor<std::int32_t, D>> labelled_step_{net_, ddpm_};
  st::Trainer<Net, st::Adam> trainer_;
};

}  // namespace afhq
