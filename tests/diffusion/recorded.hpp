// Recorded runs of diffusers' schedulers, tests/reference/schedulers, and how a sampler follows one.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <stipple/diffusion/samplers/sampling.hpp>

#include "formulas.hpp"
#include "reference_ops.hpp"

namespace recorded {

using namespace stipple;

/// One run.
struct Recorded {
  std::string name;
  const Json& entry;
  SafetensorsFile file;

  Recorded(const std::string& scheduler, const Json& json)
      : name(scheduler), entry(json), file(STIPPLE_TEST_REFERENCE_DIR "/schedulers/" + scheduler + ".safetensors") {}

  const Json& config(const char* key) const { return entry.at("full_config").at(key); }
  double number(const char* key) const { return config(key).get<double>(); }
  bool flag(const char* key) const { return entry.at("full_config").value(key, false); }
  bool is(const char* key, const char* wanted) const { return entry.at("full_config").value(key, "") == wanted; }
  int steps() const { return entry.at("num_inference_steps").get<int>(); }
  int calls() const { return entry.at("calls_of_step").get<int>(); }

  Schedule schedule() const {
    BetaRange const range{.num_train_timesteps = static_cast<int>(number("num_train_timesteps")),
                          .beta_start = number("beta_start"),
                          .beta_end = number("beta_end")};
    auto const& kind = config("beta_schedule");
    CosineRange const cosine{.num_train_timesteps = range.num_train_timesteps, .min_beta = 0, .max_beta = 0.999};
    auto const schedule = kind == "linear"          ? linear_schedule(range)
                          : kind == "scaled_linear" ? scaled_linear_schedule(range)
                          : kind == "sigmoid"       ? sigmoid_schedule(range)
                                                    : cosine_schedule(cosine);
    if (!flag("rescale_betas_zero_snr")) return schedule;
    bool const divides = entry.at("class") != "DDPMScheduler" && entry.at("class") != "DDIMScheduler";
    return rescale_zero_terminal_snr(schedule, divides ? 0x1p-24 : 0);
  }
  Prediction prediction() const {
    auto const& kind = config("prediction_type");
    return kind == "epsilon" ? Prediction::epsilon : kind == "sample" ? Prediction::x0 : Prediction::v;
  }
  Spacing spacing() const {
    auto const& kind = config("timestep_spacing");
    return kind == "leading" ? Spacing::leading : kind == "trailing" ? Spacing::trailing : Spacing::linspace;
  }
  /// What the recorded x of a level is a multiple of ours by: Euler's and Heun's schedulers keep x0 + sigma noise.
  double scale(Index level) const {
    if (!entry.at("class").get<std::string>().ends_with("DiscreteScheduler") || is_flow()) return 1;
    return std::sqrt(1 + std::pow(static_cast<double>(file.read<float>("sigmas").data()[level]), 2));
  }
  /// What the network is told; whole numbers are stored as such.
  std::vector<double> timesteps() const {
    auto const list = [](const auto& stored) {
      return std::vector<double>(stored.span().begin(), stored.span().end());
    };
    return is_whole() ? list(file.read<std::int64_t>("timesteps")) : list(file.read<float>("timesteps"));
  }
  bool is_flow() const { return entry.at("class") == "FlowMatchEulerDiscreteScheduler"; }
  bool is_whole() const { return entry.at("tensors").at("timesteps").at(1) == "torch.int64"; }
  /// What errors of a level are divided by: EDM's x is as large as sigma.
  double largest(Index level) const {
    if (!entry.at("class").get<std::string>().starts_with("EDM")) return 1;
    return std::sqrt(1 + std::pow(static_cast<double>(file.read<float>("sigmas").data()[level]), 2));
  }
  /// True where the network is shown something else than diffusers shows it: x with the noise that was added.
  bool is_churned() const { return entry.at("step_kwargs").contains("s_churn"); }
  /// x before call i of the network, in our scale.
  Tensor<float> x(Index i) const { return ops::affine(image("x", i), 1 / scale(i)); }
  /// Entry i of a stacked tensor, (N, C, H, W), as (N, H, W, C).
  Tensor<float> image(const std::string& key, Index i) const {
    auto const all = file.read<float>(key);
    auto const shape = all.shape();
    return reference::to_nhwc(all.slice(i, i + 1).reshape({shape[1], shape[2], shape[3], shape[4]}));
  }
};

/// Sets the fields that all samplers share.
template <class Options>
Options common_options(const Recorded& r) {
  Options o;
  o.steps = r.steps();
  if (r.entry.at("full_config").contains("timestep_spacing")) o.spacing = r.spacing();
  o.steps_offset = r.entry.at("full_config").contains("steps_offset") ? static_cast<int>(r.number("steps_offset")) : 0;
  o.prediction = r.prediction();
  o.thresholding = r.flag("thresholding");
  if (o.thresholding) {
    o.dynamic_thresholding_ratio = r.number("dynamic_thresholding_ratio");
    o.sample_max_value = r.number("sample_max_value");
  }
  o.clip_sample = r.flag("clip_sample");
  if (o.clip_sample) o.clip_range = r.number("clip_sample_range");
  return o;
}

/// The same with the fields that choose noise levels.
template <class Options>
Options level_options(const Recorded& r) {
  auto o = common_options<Options>(r);
  o.karras = r.flag("use_karras_sigmas");
  o.exponential = r.flag("use_exponential_sigmas");
  o.end_at_smallest = r.is("final_sigmas_type", "sigma_min");
  return o;
}

/// Adds the noise of Euler's schedulers before steps.
template <class Options>
Options with_churn(const Recorded& r, Options o) {
  auto const& given = r.entry.at("step_kwargs");
  o.s_churn = given.value("s_churn", o.s_churn);
  o.s_tmin = given.value("s_tmin", o.s_tmin);
  o.s_tmax = given.value("s_tmax", o.s_tmax);
  o.s_noise = given.value("s_noise", o.s_noise);
  return o;
}

/// The largest error of x over a run of `run(denoiser, x_T, noise, options)` with the recorded outputs of the network,
/// relative to the largest x; `start` is what our x_T is multiplied by. Inputs and timesteps must be the recorded ones;
/// fractions of timesteps are of logarithms in float32.
template <class Options, class Run>
double worst_error(const Recorded& r, Options options, const Run& run, double start = 1) {
  auto const timesteps = r.timesteps();
  double const allowed = 1e-5 * std::abs(*std::max_element(timesteps.begin(), timesteps.end()));
  Index calls = 0;
  double largest = 1, worst = 0;
  auto const denoiser = [&](const Tensor<float>& x, const Tensor<float>& t) {
    if (!r.is_churned()) {
      CHECK(std::abs(t.data()[0] - timesteps[static_cast<std::size_t>(calls)]) <= allowed);
      worst = std::max(worst, max_abs_difference(x, r.image("scaled_input", calls)));
    }
    return r.image("model_output", calls++);
  };
  auto const noise = [&](int step, const Shape&) { return r.image("noise", step); };
  options.callback = [&](const SamplerStep& step) {
    auto const expected = r.x(calls);
    double const unit = r.largest(calls);
    for (float const value : expected.span()) largest = std::max(largest, std::abs(static_cast<double>(value)) / unit);
    worst = std::max(worst, max_abs_difference(step.x, expected) / unit);
    if (r.file.contains("pred_x0"))
      worst = std::max(worst, max_abs_difference(step.x0, r.image("pred_x0", calls - 1)) / r.largest(calls - 1));
    return true;
  };
  run(denoiser, ops::affine(r.x(0), 1 / start), noise, options);
  CHECK(calls == r.calls());
  return worst / largest;
}

/// Calls f(Recorded) for every run of this class; there must be one.
template <class F>
void for_each_scheduler(const std::string& kind, const F& f) {
  static const Json index = read_json(STIPPLE_TEST_REFERENCE_DIR "/schedulers/schedulers.json");
  int count = 0;
  for (auto const& [name, entry] : index.at("schedulers").items()) {
    if (entry.at("class") != kind) continue;
    ++count;
    f(Recorded(name, entry));
  }
  INFO("reference trajectories of " << kind);
  REQUIRE(count > 0);
}

}  // namespace recorded
