// Trains a classifier and tests it, in one element type.
#pragma once

#include <cstdio>
#include <numeric>
#include <vector>

#include <stipple/autograd/loss.hpp>
#include <stipple/data/transform.hpp>
#include <stipple/io/hash.hpp>
#include <stipple/models/image_classifier.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/train/trainer.hpp>

#include "common/device.hpp"
#include "common/idx_data.hpp"
#include "common/measure.hpp"
#include "common/training_data.hpp"
#include "common/training_log.hpp"
#include "train_classifier/figures.hpp"
#include "train_classifier/options.hpp"

namespace train_classifier {

template <class T, class D>
class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        train_set_(example::idx_images(options.folder(), options.data)),
        test_set_(example::idx_images(options.folder(), options.data, st::data::Split::test)),
        net_(make_net(options)),
        trainer_(net_, st::AdamW{{.learning_rate = options.learning_rate}}, trainer_config()) {
    trainer_.validate = [this](std::int64_t) { return end_epoch(); };
  }

  int operator()() {
    open();
    describe();
    auto const result = train();
    example::TrainingLog const log(out_ / "log.jsonl");
    log.plot(out_ / "loss.png", 100);
    if (result.signal != 0) return example::interrupted(result);
    auto const confusion = test();
    auto const names = class_names(options_.clothes());
    plot_confusion(out_ / "confusion.png", confusion, names);
    auto const weights = out_ / "classifier.safetensors";
    st::save_weights(weights, net_);
    double const rate = static_cast<double>(options_.images_seen(train_set_.size(), log.step_count())) / log.seconds;
    auto metrics = options_.to_json();
    metrics["seed"] = options_.seed;
    metrics["parameters"] = example::parameter_count(net_);
    metrics["steps"] = result.step;
    metrics["epoch_losses"] = result.epoch_losses;
    metrics["epoch_test_accuracies"] = accuracies_;
    metrics["loss"] = log.mean_of_last(100);
    metrics["test_accuracy"] = accuracy(confusion);
    metrics["classes"] = names;
    metrics["confusion"] = confusion;
    metrics["weights_sha256"] = st::sha256_of_file(weights);
    metrics["train_seconds"] = log.seconds;
    metrics["examples_per_second"] = rate;
    metrics["peak_tensor_mib"] = example::peak_tensor_memory<D>();
    st::write_json(out_ / "metrics.json", metrics);
    std::printf("Accuracy on the test images: %.2f %%\n", 100 * accuracy(confusion));
    std::printf("%.1f examples/sec on %d threads\n", rate, st::num_threads());
    std::printf("The network is %s; pictures, metrics.json and log.jsonl are beside it\n", weights.c_str());
    return 0;
  }

 private:
  using Net = st::ImageClassifier<T, D>;

  static st::Model<Net> make_net(const Options& options) {
    st::Rng rng(options.seed);
    return st::Model<Net>(Net({.classes = classes}, rng));
  }

  std::int64_t total_steps() const { return options_.total_steps(train_set_.size()); }

  st::TrainerConfig trainer_config() const {
    auto config = options_.trainer_config();
    config.results = {"metrics.json", "classifier.safetensors", "loss.png", "accuracy.png", "confusion.png"};
    config.flip = options_.clothes();
    config.validate_every = options_.steps_per_epoch(train_set_.size());
    config.configuration = options_.to_json();
    example::add_training_data(config.configuration, train_set_);
    config.schedule = st::CosineDecay{.steps = total_steps(), .warmup = total_steps() / 20};
    return config;
  }

  void open() {
    example::open_run(trainer_, options_);
    accuracies_ = example::TrainingLog(out_ / "log.jsonl")
                      .validation_by_epoch(trainer_.epoch_losses().size(), options_.steps_per_epoch(train_set_.size()));
  }

  void describe() const {
    example::announce(options_, "%lld images and %lld to test, %lld parameters, %lld steps of %lld images, %s",
                      static_cast<long long>(train_set_.size()), static_cast<long long>(test_set_.size()),
                      static_cast<long long>(example::parameter_count(net_)), static_cast<long long>(total_steps()),
                      static_cast<long long>(options_.batch), options_.precision.c_str());
  }

  st::TrainingResult train() {
    return trainer_.fit_steps(train_set_, total_steps(), [this](const st::ImageBatch& batch, st::Rng& rng) {
      auto const images = st::randomly_shifted(batch.images, options_.shift, rng);
      return st::cross_entropy_loss(net_(st::Var<T, D>(st::ops::cast<T>(input_(images)))), input_(batch.labels));
    });
  }

  Confusion test() const {
    constexpr st::Index batch = 500;
    Confusion confusion{};
    std::vector<st::Index> samples;
    for (st::Index begin = 0; begin < test_set_.size(); begin += batch) {
      samples.resize(static_cast<std::size_t>(std::min(batch, test_set_.size() - begin)));
      std::iota(samples.begin(), samples.end(), begin);
      auto const [images, labels, numbers] = test_set_.batch(samples, nullptr);
      auto const found = net_.net().classify(images);
      for (st::Index i = 0; i < found.size(); ++i) {
        std::int32_t const label = labels.data()[i];
        st::require(label >= 0 && label < classes, "test images: given label ", label, ", wanted 0 to ", classes - 1);
        ++confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(found.data()[i])];
      }
    }
    return confusion;
  }

  double accuracy(const Confusion& confusion) const {
    st::Index right = 0;
    for (std::size_t i = 0; i < confusion.size(); ++i) right += confusion[i][i];
    return static_cast<double>(right) / static_cast<double>(test_set_.size());
  }

  double end_epoch() {
    accuracies_.resize(trainer_.epoch_losses().size());
    accuracies_.back() = accuracy(test());
    example::announce(options_, "epoch %zu: mean loss %.4f, test accuracy %.2f %%", accuracies_.size(),
                      trainer_.epoch_losses().back(), 100 * accuracies_.back());
    plot_accuracy(out_ / "accuracy.png", accuracies_);
    return accuracies_.back();
  }

  Options options_;
  st::FilePath out_ = options_.out;
  st::ImageDataset train_set_, test_set_;
  st::Model<Net> net_;
  example::Input<D> input_;
  std::vector<double> accuracies_;  // on the test images, after each epoch; NaN where a log that was cut off lacks it
  st::Trainer<Net, st::AdamW> trainer_;
};

}  // namespace train_classifier
