// Figures of a network's samples by a classifier's features: FID and its kin for samplers, steps and guidance.
#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <stipple/io/hash.hpp>
#include <stipple/metrics/classifier_features.hpp>
#include <stipple/metrics/evaluate.hpp>
#include <stipple/train/signals.hpp>
#include <stipple/train/trainer.hpp>

#include "common/fid_figures.hpp"
#include "common/fid_options.hpp"
#include "common/idx_data.hpp"
#include "common/measure.hpp"
#include "common/options.hpp"
#include "common/samplers.hpp"

namespace example {

/// A way to sample.
struct Sampling {
  std::string sampler;
  int steps = 0;
  std::optional<double> guidance;
};

/// Some of the samples of a figure, and what they start from. Sample i is the same in any batch.
struct SampleBatch {
  Sampling how;
  st::Tensor<float> x_T;
  st::Tensor<std::int32_t> labels;  ///< undefined for a network without classes
  std::uint64_t first_sample = 0;
  st::Rng rng;
  st::SamplerCallback callback;
};

/// The samples of a batch; `f` is a denoiser or a network on D, `variance` that of DDPM: small or large.
template <st::Device D, class F>
st::Tensor<float> draw_samples(const F& f, const st::Schedule& schedule, const std::string& variance,
                               SampleBatch batch) {
  Sampler const sampler{.name = batch.how.sampler, .steps = batch.how.steps, .variance = variance};
  return st::to<st::Cpu>(
      run_sampler<D>(sampler, f, st::to<D>(batch.x_T), schedule, batch.rng, batch.callback, batch.first_sample));
}

/// The hash of a model's weights, or of their average.
template <class Net>
std::string hash_of_weights(const st::Model<Net>& model, bool average) {
  auto const weights = st::to<st::Cpu>(average ? model.ema_state().weights : model.weights());
  return st::sha256(std::as_bytes(weights.span()));
}

/// What is measured.
struct FidSubject {
  const st::ImageDataset& training;
  bool flip = false;                                            ///< training images were mirrored at random
  st::Index classes = 0;                                        ///< of the labels; 0: the network takes none
  std::string weights;                                          ///< hash of those that samples come from
  std::function<st::Tensor<float>(const SampleBatch&)> sample;  ///< images around [-1, 1]
};

/// The figures of a run in metrics.json: those that are asked for, and those that an earlier run has left there for the
/// same weights.
class FidReport {
 public:
  /// For samples that are compared with the test images of `data_set`; `guidance` is that of the program's own ones,
  /// where they are guided. Reads the classifier, the test images and an earlier metrics.json. Throws Error if one of
  /// them is missing or broken, or if steps or guidance are nothing for this network.
  FidReport(const FidOptions& options, const CommonOptions& common, const std::string& data_set, int timesteps,
            std::optional<double> guidance = {});

  /// Writes `metrics` as metrics.json, and again after each figure; prints the figures and draws their curves. Returns
  /// the exit code: 0, or that of a run that a signal ended, which leaves out the figure in progress and those behind
  /// it.
  int write(st::Json metrics, const FidSubject& subject);

 private:
  static constexpr st::Index batch_size = 50;

  // Thrown between two steps of a sampler, and caught by `write`.
  struct Stopped {};

  void take_over_earlier(const FidSubject& subject);
  st::Index count(const std::string& sampler, const FidSubject& subject) const;
  bool is_comparable(const st::Json& figure, const FidSubject& subject) const;
  const st::Json* find(const Sampling& how, const FidSubject& subject) const;
  st::Json measure(const Sampling& how, const FidSubject& subject, const st::StopSignals& signals) const;
  st::NextImages next_training_images(const FidSubject& subject) const;
  st::NextImages next_samples(const Sampling& how, const FidSubject& subject, st::Progress& progress,
                              const st::StopSignals& signals, st::Index& right) const;

  const st::Json& figures() const { return metrics_.at("fid").at("figures"); }
  st::FilePath file(const char* name) const { return st::FilePath(common_.out) / name; }
  std::string where() const { return "'" + file("metrics.json").string() + "', field 'fid'"; }

  FidOptions options_;
  CommonOptions common_;
  std::vector<Sampling> asked_;
  std::optional<st::ClassifierFeatures> network_;
  std::optional<st::FeatureSet> real_;
  st::Json earlier_, metrics_;
};

inline FidReport::FidReport(const FidOptions& options, const CommonOptions& common, const std::string& data_set,
                            int timesteps, std::optional<double> guidance)
    : options_(options), common_(common) {
  std::error_code error;
  if (std::filesystem::exists(file("metrics.json"), error)) earlier_ = st::read_json(file("metrics.json"));
  if (!options.asked()) return;
  st::require(guidance || options.guidance.empty(), "--fid-guidance: this network has no classes to be guided to");
  std::vector<std::optional<double>> scales(options.guidance.begin(), options.guidance.end());
  if (scales.empty()) scales.push_back(guidance);
  asked_.push_back({training_images, 0, {}});
  for (auto const& sampler : options.samplers)
    for (int const steps : options.steps.empty() ? std::vector<int>{timesteps} : options.steps) {
      st::require(steps <= timesteps, "--fid-steps: given ", steps, ", wanted at most the ", timesteps,
                  " timesteps of the diffusion");
      for (auto const& scale : scales) asked_.push_back({sampler, steps, scale});
    }
  network_.emplace(options.classifier);
  auto const test = idx_images(data_set, common.data, st::data::Split::test);
  real_ = st::collect_features(*network_, st::batches_of(test.images, batch_size));
}

inline void FidReport::take_over_earlier(const FidSubject& subject) {
  auto fid = st::Json::object({{"sampled_from", subject.weights}, {"seed", common_.seed}});
  fid["figures"] = st::Json::array();
  if (earlier_.is_object() && earlier_.contains("fid")) {
    auto const& before = earlier_.at("fid");
    auto const& seed = st::get_field(before, "seed", where());
    bool const same_seed = seed == common_.seed || seed == std::to_string(common_.seed);  // text in older files
    if (same_seed && st::get_string(before, "sampled_from", where()) == subject.weights)
      fid["figures"] = st::get_array(before, "figures", where());
  }
  if (options_.asked() || !fid["figures"].empty()) metrics_["fid"] = std::move(fid);
}

// Images in a figure of this sampler.
inline st::Index FidReport::count(const std::string& sampler, const FidSubject& subject) const {
  return sampler == training_images ? std::min(options_.count, subject.training.size()) : options_.count;
}

// Whether a figure is by this classifier, against the same test images and of as many images as are asked for.
inline bool FidReport::is_comparable(const st::Json& figure, const FidSubject& subject) const {
  return st::get_string(figure, "weights_sha256", where()) == network_->hash() &&
         st::get_integer(figure, "real_images", where()) == real_->count &&
         st::get_integer(figure, "generated_images", where()) ==
             count(st::get_string(figure, "sampler", where()), subject);
}

// The comparable figure of this sampling, or nullptr.
inline const st::Json* FidReport::find(const Sampling& how, const FidSubject& subject) const {
  for (auto const& figure : figures()) {
    if (!is_comparable(figure, subject)) continue;
    std::optional<double> guidance;
    if (figure.contains("guidance")) guidance = st::get_number(figure, "guidance", where());
    if (st::get_string(figure, "sampler", where()) == how.sampler &&
        st::get_integer(figure, "steps", where()) == how.steps && guidance == how.guidance)
      return &figure;
  }
  return nullptr;
}

// Batches of training images as the network saw them in its first epoch.
inline st::NextImages FidReport::next_training_images(const FidSubject& subject) const {
  auto const loader = std::make_shared<st::Loader<st::ImageDataset>>(
      subject.training,
      st::LoaderConfig{.batch = batch_size, .flip = subject.flip, .seed = common_.seed, .prefetch = false});
  return [loader, left = count(training_images, subject)]() mutable -> st::Tensor<float> {
    if (left == 0) return {};
    auto const images = loader->next().images;
    st::Index const n = std::min(left, images.dim(0));
    left -= n;
    return images.slice(0, n);
  };
}

// Batches of samples, with 256 values as in files. Counts in `right` those that are of the class that was asked for.
inline st::NextImages FidReport::next_samples(const Sampling& how, const FidSubject& subject, st::Progress& progress,
                                              const st::StopSignals& signals, st::Index& right) const {
  return [&, how, done = st::Index{0}]() mutable -> st::Tensor<float> {
    st::Index const n = std::min(batch_size, options_.count - done);
    if (n == 0) return {};
    auto const first = static_cast<std::uint64_t>(done);
    SampleBatch batch{how, {}, {}, first, st::Rng(common_.seed), {}};
    batch.x_T = batch.rng.normal(subject.training.images.shape().with(0, n), st::Purpose::sample, first);
    if (subject.classes > 0) {
      batch.labels = st::Tensor<std::int32_t>({n});
      for (st::Index i = 0; i < n; ++i)
        batch.labels.data()[i] = static_cast<std::int32_t>((done + i) % subject.classes);
    }
    batch.callback = [&, before = done / batch_size](const st::SamplerStep& step) {
      progress.update(before * step.steps + step.index + 1, std::numeric_limits<double>::quiet_NaN());
      return signals.received() == 0;
    };
    auto const samples = subject.sample(batch);
    if (signals.received() != 0) throw Stopped{};
    auto const images = st::batches_of(samples, n)();
    if (subject.classes > 0) {
      auto const found = network_->classify(images);
      for (st::Index i = 0; i < n; ++i) right += found.data()[i] == batch.labels.data()[i] ? 1 : 0;
    }
    done += n;
    return images;
  };
}

inline st::Json FidReport::measure(const Sampling& how, const FidSubject& subject,
                                   const st::StopSignals& signals) const {
  Stopwatch const watch;
  auto figure = st::Json::object({{"sampler", how.sampler}, {"steps", how.steps}});
  if (how.guidance) figure["guidance"] = *how.guidance;
  bool const sampled = how.sampler != training_images;
  st::Index right = 0;
  st::Index const batches = (options_.count + batch_size - 1) / batch_size;
  st::Progress progress(0, batches * how.steps, common_.quiet || !sampled);
  auto const images = sampled ? next_samples(how, subject, progress, signals, right) : next_training_images(subject);
  auto const set = st::collect_features(*network_, images);
  figure.update(st::to_json(st::compare(*real_, set, {.seed = common_.seed})));
  if (sampled && subject.classes > 0) figure["accuracy"] = static_cast<double>(right) / static_cast<double>(set.count);
  figure["seconds"] = watch.seconds();
  return figure;
}

inline int FidReport::write(st::Json metrics, const FidSubject& subject) {
  st::StopSignals const signals;
  metrics_ = std::move(metrics);
  take_over_earlier(subject);
  st::write_json(file("metrics.json"), metrics_);
  if (!options_.asked()) return 0;
  std::printf("Figures against %lld test images, by the features of %s %.12s\n", static_cast<long long>(real_->count),
              network_->name().c_str(), network_->hash().c_str());
  print_figure_head();
  for (auto const& how : asked_) {
    if (find(how, subject) == nullptr) {
      try {
        metrics_["fid"]["figures"].push_back(measure(how, subject, signals));
      } catch (const Stopped&) {
        return interrupted(signals.received(), "during the figures of samples");
      }
      st::write_json(file("metrics.json"), metrics_);
    }
    print_figure(*find(how, subject));
  }
  std::vector<st::Json> shown;
  for (auto const& figure : figures())
    if (is_comparable(figure, subject)) shown.push_back(figure);
  plot_figures(file("fid_steps.png"), shown, true);
  plot_figures(file("fid_guidance.png"), shown, false);
  return 0;
}

}  // namespace example
