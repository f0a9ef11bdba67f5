// Trains the unconditional U-Net to denoise MNIST and shows what it does, in one element type.
#pragma once

#include <cstdio>
#include <numeric>
#include <vector>

#include <stipple/autograd/loss.hpp>
#include <stipple/diffusion/noise.hpp>
#include <stipple/models/berkeley_unet.hpp>
#include <stipple/train/trainer.hpp>

#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "common/measure.hpp"
#include "common/pictures.hpp"
#include "common/training_data.hpp"
#include "common/training_log.hpp"
#include "mnist_denoiser/options.hpp"

namespace mnist_denoiser {

template <class T, class D>
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        train_set_(example::idx_images("mnist", options.data)),
        test_set_(example::idx_images("mnist", options.data, st::data::Split::test)),
        net_(make_net(options)),
        trainer_(net_, st::Adam{{.learning_rate = options.learning_rate}}, trainer_config()) {
    trainer_.sample = [this](std::int64_t step) { end_epoch(step); };
  }

  int operator()() {
    example::open_run(trainer_, options_);
    describe();
    draw_noising();
    auto const result = train();
    example::TrainingLog const log(out_ / "log.jsonl");
    log.plot(out_ / "loss.png", 50);
    if (result.signal != 0) return example::interrupted(result);
    auto metrics = options_.to_json();
    metrics["seed"] = options_.seed;
    metrics["parameters"] = example::parameter_count(net_);
    metrics["steps"] = result.step;
    metrics["epoch_losses"] = result.epoch_losses;
    metrics["loss"] = log.mean_of_last(50);
    metrics["train_seconds"] = log.seconds;
    metrics["examples_per_second"] =
        static_cast<double>(options_.images_seen(train_set_.size(), log.step_count())) / log.seconds;
    draw_denoised(result.step);
    metrics["test"] = test();
    metrics["peak_tensor_mib"] = example::peak_tensor_memory<D>();
    st::write_json(out_ / "metrics.json", metrics);
    std::printf("Mean loss of the last 50 steps: %.5f\n", log.mean_of_last(50));
    for (auto const& entry : metrics["test"])
      std::printf("sigma %.1f: mean squared error %.5f noisy, %.5f denoised\n", entry.at("sigma").get<double>(),
                  entry.at("noisy").get<double>(), entry.at("denoised").get<double>());
    std::printf("Pictures, metrics.json and log.jsonl are in %s\n", out_.c_str());
    return 0;
  }

 private:
  using Net = st::BerkeleyUnet<T, D>;
  using Images = st::Tensor<float>;
  static constexpr std::array<double, 7> sigmas{0, 0.2, 0.4, 0.5, 0.6, 0.8, 1};

  static st::Model<Net> make_net(const Options& options) {
    st::Rng rng(options.seed);
    return st::Model<Net>(Net({.width = options.width}, rng));
  }

  st::TrainerConfig trainer_config() const {
    auto config = options_.trainer_config();
    config.results = {"metrics.json",         "noising.png",         "loss.png",
                      "denoised_epoch_*.png", "denoised_step_*.png", "out_of_distribution.png"};
    config.sample_every = options_.steps_per_epoch(train_set_.size());
    config.configuration = options_.to_json();
    example::add_training_data(config.configuration, train_set_);
    return config;
  }

  void describe() const {
    example::announce(options_, "%lld images, %lld parameters, %lld steps of %lld images, %s",
                      static_cast<long long>(train_set_.size()), static_cast<long long>(example::parameter_count(net_)),
                      static_cast<long long>(total_steps()), static_cast<long long>(options_.batch),
                      options_.precision.c_str());
  }

  std::int64_t total_steps() const { return options_.total_steps(train_set_.size()); }

  st::TrainingResult train() {
    return trainer_.fit_steps(train_set_, total_steps(), [this](const st::ImageBatch& batch, st::Rng& rng) {
      auto const x = example::to_unit_range(batch.images);
      auto const noise = st::draw_normal(rng, x.shape(), st::Purpose::noise);
      auto const z = input_(noisy(x, noise, options_.sigma));
      return st::mse_loss(net_(st::Var<T, D>(st::ops::cast<T>(z))), input_(x));
    });
  }

  // z = x + sigma e
  static Images noisy(const Images& x, const Images& e, double sigma) {
    Images z(x.shape());
    for (st::Index i = 0; i < z.size(); ++i) z.data()[i] = x.data()[i] + static_cast<float>(sigma) * e.data()[i];
    return z;
  }
  // The images that the network makes of z, in portions.
  Images denoised(const Images& z) const {
    st::NoGrad const no_grad;
    constexpr st::Index portion = 64;
    Images x(z.shape());
    for (st::Index begin = 0; begin < z.dim(0); begin += portion) {
      st::Index const end = std::min(begin + portion, z.dim(0));
      auto const out = net_(st::Var<T, D>(st::ops::cast<T>(st::to<D>(z.slice(begin, end)))));
      x.slice(begin, end).copy_from(st::to<st::Cpu>(st::ops::cast<float>(out.value())));
    }
    return x;
  }

  // The first images of a data set in [0, 1], and noise for them that is the same in every picture.
  static Images first_images(const st::ImageDataset& set, st::Index count) {
    std::vector<st::Index> samples(static_cast<std::size_t>(std::min(count, set.size())));
    std::iota(samples.begin(), samples.end(), st::Index{0});
    return example::to_unit_range(set.batch(samples, nullptr).images);
  }
  Images fixed_noise(const st::Shape& shape) const {
    st::Rng rng(options_.seed + 1);
    return st::draw_normal(rng, shape, st::Purpose::noise);
  }

  // A few digits, each with the same noise at every sigma.
  void draw_noising() const {
    auto const x = first_images(train_set_, 5), noise = fixed_noise(x.shape());
    std::vector<st::ImagePanel> panels;
    for (st::Index i = 0; i < x.dim(0); ++i)
      for (double const sigma : sigmas) panels.push_back(panel(i == 0 ? title(sigma) : "", noisy(x, noise, sigma), i));
    st::plot_images(out_ / "noising.png", panels, {.columns = static_cast<int>(sigmas.size()), .scale = 4});
  }

  // Shows test digits after the first epoch and every fifth; those of the end come after training.
  void end_epoch(std::int64_t step) const {
    auto const epoch = trainer_.epoch_losses().size();
    example::announce(options_, "epoch %zu: mean loss %.5f", epoch, trainer_.epoch_losses().back());
    if ((epoch == 1 || epoch % 5 == 0) && step < total_steps()) draw_denoised(step);
  }

  // Test digits: clean, noisy, denoised.
  void draw_denoised(std::int64_t step) const {
    auto const name = options_.step_name(train_set_.size(), step);
    auto const x = first_images(test_set_, options_.sample_count);
    auto const z = noisy(x, fixed_noise(x.shape()), options_.sigma), out = denoised(z);
    st::Index const n = x.dim(0);
    Images rows(x.shape().with(0, 3 * n));
    rows.slice(0, n).copy_from(x);
    rows.slice(n, 2 * n).copy_from(z);
    rows.slice(2 * n, 3 * n).copy_from(out);
    st::write_grid(out_ / ("denoised_" + name + ".png"), example::visible_pixels(example::from_unit_range(rows)),
                   {.columns = n, .scale = 2});
  }

  // Denoises test digits at every sigma: draws the first of them and returns the mean squared errors.
  st::Json test() const {
    auto const x = first_images(test_set_, options_.test_count), noise = fixed_noise(x.shape());
    std::vector<st::ImagePanel> above, below;
    auto errors = st::Json::array();
    for (double const sigma : sigmas) {
      auto const z = noisy(x, noise, sigma), out = denoised(z);
      errors.push_back(
          st::Json::object({{"sigma", sigma}, {"noisy", squared_error(z, x)}, {"denoised", squared_error(out, x)}}));
      above.push_back(panel(title(sigma), z));
      below.push_back(panel("", out));
    }
    above.insert(above.end(), below.begin(), below.end());
    st::plot_images(out_ / "out_of_distribution.png", above, {.columns = static_cast<int>(sigmas.size()), .scale = 4});
    return errors;
  }
  static double squared_error(const Images& a, const Images& b) {
    double sum = 0;
    for (st::Index i = 0; i < a.size(); ++i) {
      double const difference = static_cast<double>(a.data()[i]) - b.data()[i];
      sum += difference * difference;
    }
    return sum / static_cast<double>(a.size());
  }

  static std::string title(double sigma) { return "sigma = " + std::to_string(sigma).substr(0, 3); }
  static st::ImagePanel panel(std::string title, const Images& images, st::Index i = 0) {
    return example::panel(std::move(title), example::from_unit_range(images), i);
  }

  Options options_;
  st::FilePath out_ = options_.out;
  st::ImageDataset train_set_, test_set_;
  st::Model<Net> net_;
  example::Input<D> input_;
  st::Trainer<Net, st::Adam> trainer_;
};

}  // namespace mnist_denoiser
