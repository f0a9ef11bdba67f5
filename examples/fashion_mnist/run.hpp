// Trains the annotated U-Net on Fashion-MNIST and samples from it, in one element type.
#pragma once

#include <cstdio>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/diffusion/gaussian_start.hpp>
#include <stipple/diffusion/noise.hpp>
#include <stipple/diffusion/recorded_denoiser.hpp>
#include <stipple/io/gif.hpp>
#include <stipple/io/image.hpp>
#include <stipple/models/annotated_unet.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "common/device.hpp"
#include "common/fid.hpp"
#include "common/idx_data.hpp"
#include "common/measure.hpp"
#include "common/pictures.hpp"
#include "common/training_data.hpp"
#include "common/training_log.hpp"
#include "fashion_mnist/options.hpp"

namespace fashion_mnist {

template <class T, class D>
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        data_(example::idx_images("fashion-mnist", options.data)),
        net_(make_net(options, data_)),
        trainer_(net_, st::Adam{{.learning_rate = options.learning_rate}}, trainer_config()),
        sampler_(options.samples.sampler.for_timesteps(options.timesteps, "--sample-steps")),
        fid_(options.fid, options, "fashion-mnist", options.timesteps) {}

  int operator()() {
    st::FilePath const out = options_.out;
    example::open_run(trainer_, options_);
    describe();
    auto const result = train();
    example::TrainingLog const log(out / "log.jsonl");
    log.plot(out / "loss.png", 100);
    if (result.signal != 0) return example::interrupted(result);
    auto metrics = options_.to_json();
    metrics["seed"] = options_.seed;
    metrics.update(sampler_.to_json());
    metrics["sample_seed"] = sample_seed();
    metrics["parameters"] = example::parameter_count(net_);
    metrics["steps"] = result.step;
    metrics["epoch_losses"] = result.epoch_losses;
    metrics["loss"] = log.mean_of_last(100);
    metrics["train_seconds"] = log.seconds;
    sample(metrics);
    metrics["peak_tensor_mib"] = example::peak_tensor_memory<D>();
    if (int const code = write_figures(metrics); code != 0) return code;
    for (std::size_t i = 0; i < result.epoch_losses.size(); ++i)
      std::printf("Mean loss of epoch %zu: %.4f\n", i, result.epoch_losses[i]);
    std::printf("Mean loss of the last 100 steps: %.4f\n", log.mean_of_last(100));
    std::printf("Pictures, metrics.json and log.jsonl are in %s\n", out.c_str());
    return 0;
  }

 private:
  using Net = st::AnnotatedUnet<T, D>;

  static st::Model<Net> make_net(const Options& options, const st::ImageDataset& data) {
    st::Rng rng(options.seed);
    auto const block = options.block == "resnet" ? st::AnnotatedBlock::resnet : st::AnnotatedBlock::convnext;
    return st::Model<Net>(Net({.channels = data.images.dim(3), .block = block}, rng));
  }

  const Net& net() const { return options_.best() ? net_.ema() : net_.net(); }
  std::int64_t total_steps() const { return options_.total_steps(data_.size()); }

  st::TrainerConfig trainer_config() const {
    auto config = options_.trainer_config();
    config.results = {"metrics.json", "loss.png", "samples.png", "denoising.gif", "fid_steps.png"};
    config.flip = true;
    config.configuration = options_.to_json();
    example::add_training_data(config.configuration, data_);
    if (options_.best()) {
      config.ema = 0.999;
      config.ema_warmup = true;
      auto const total = total_steps();
      config.schedule = st::CosineDecay{.steps = total, .warmup = std::min<std::int64_t>(100, total / 10)};
    }
    return config;
  }

  void describe() const {
    if (options_.quiet) return;
    std::printf("%lld images, %lld parameters, %lld steps of %lld images, %s, %d threads\n",
                static_cast<long long>(data_.size()), static_cast<long long>(example::parameter_count(net_)),
                static_cast<long long>(total_steps()), static_cast<long long>(options_.batch),
                options_.precision.c_str(), st::num_threads());
    if (options_.block == "resnet")
      std::printf("Groups of the norms: %lld (the course's 8 do not divide its widths of 28, 56 and 112)\n",
                  static_cast<long long>(net_.net().config.resnet_groups));
    if (options_.max_minutes > 0) std::printf("Training ends after %g minutes at the latest\n", options_.max_minutes);
    std::fflush(stdout);
  }

  st::TrainingResult train() {
    return trainer_.fit_steps(data_, total_steps(), [this](const st::ImageBatch& batch, st::Rng& rng) {
      auto const loss = step_(input_(batch.images), rng);
      print(loss);
      return loss;
    });
  }

  // The course's lines: the epoch when it begins, the loss every 100 steps of it.
  template <class Loss>
  void print(const Loss& loss) const {
    long long const per_epoch = options_.steps_per_epoch(data_.size()), step = trainer_.step() % per_epoch;
    if (step % 100 != 0) return;
    if (step == 0) example::announce(options_, "epoch: %lld", trainer_.step() / per_epoch);
    example::announce(options_, "\tLoss: %.4f / step: %4lld", static_cast<double>(loss.item()), step);
  }

  // What sampling starts from: noise, or with the best recipe what the training images become in the last timestep.
  st::Tensor<float> start(st::Index count, st::Rng& rng, std::uint64_t first_sample) const {
    if (gaussian_start_) return gaussian_start_->draw(count, rng, first_sample);
    st::Shape const shape = data_.images.shape().with(0, count);
    return st::draw_normal(rng, shape, st::Purpose::user, first_sample);
  }
  std::optional<st::GaussianStart> make_gaussian_start() const {
    if (!options_.best()) return {};
    std::vector<st::Index> samples(static_cast<std::size_t>(std::min<st::Index>(data_.size(), 10'000)));
    std::iota(samples.begin(), samples.end(), st::Index{0});
    return st::GaussianStart(ddpm_.schedule, data_.batch(samples, nullptr).images);
  }

  std::uint64_t sample_seed() const { return options_.samples.seed.value_or(options_.seed); }

  // samples.png has what comes out, denoising.gif how one of the samples got there.
  //
  // A step of DDPM adds noise to the mean, mean + sqrt(posterior variance) z (Ho et al. 2020, algorithm 2, line 4). The
  // course's p_sample multiplies them there, by mistake: "model_mean * torch.sqrt(posterior_variance_t) * noise".
  void sample(st::Json& metrics) const {
    example::Stopwatch const watch;
    st::Rng rng(sample_seed());
    auto const x_T = start(options_.sample_count, rng, 0);
    st::Progress progress(0, sampler_.steps, options_.quiet, st::peak_memory<D>);
    // Of a generator of its own, so that the samples do not depend on it.
    auto const chosen =
        st::Rng(sample_seed()).integers({1}, 0, static_cast<std::int32_t>(options_.sample_count)).item();
    std::vector<st::Tensor<std::uint8_t>> frames;  // one after each step
    auto const callback = [&](const st::SamplerStep& step) {
      auto const one = step.x.slice(chosen, chosen + 1);
      frames.push_back(st::make_grid(example::visible_pixels(one), {.padding = 0, .scale = 4}));
      progress.update(step.index + 1, std::numeric_limits<double>::quiet_NaN());
      return true;
    };
    auto const samples = st::to<st::Cpu>(
        example::run_sampler<D>(sampler_, st::recorded<D>(net()), st::to<D>(x_T), ddpm_.schedule, rng, callback));
    metrics["sample_seconds"] = watch.seconds();
    st::FilePath const out = options_.out;
    st::write_grid(out / "samples.png", samples, {.scale = 2});
    st::write_gif(out / "denoising.gif", frames, {.delay_ms = 50, .last_delay_ms = 1000});
  }

  int write_figures(const st::Json& metrics) {
    return fid_.write(metrics, {.training = data_,
                                .flip = true,
                                .weights = example::hash_of_weights(net_, options_.best()),
                                .sample = [this](example::SampleBatch batch) {
                                  if (gaussian_start_)
                                    batch.x_T = start(batch.x_T.dim(0), batch.rng, batch.first_sample);
                                  return example::draw_samples<D>(net(), ddpm_.schedule, "small", batch);
                                }});
  }

  Options options_;
  st::ImageDataset data_;
  st::Ddpm ddpm_{st::schedule_by_name(options_.schedule, options_.timesteps),
                 {.loss = st::loss_by_name(options_.loss)}};
  st::Model<Net> net_;
  example::Input<D> input_;
  st::DiffusionStep<Net, st::Ddpm> step_{net_, ddpm_};
  st::Trainer<Net, st::Adam> trainer_;
  example::Sampler sampler_;
  example::FidReport fid_;
  std::optional<st::GaussianStart> gaussian_start_ = make_gaussian_start();
};

}  // namespace fashion_mnist
