// Samplers against diffusers' schedulers: tests/reference/schedulers.
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "formulas.hpp"
#include "reference_ops.hpp"

using namespace stipple;

namespace {

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
    auto const schedule = kind == "linear"          ? linear_schedule(range)
                          : kind == "scaled_linear" ? scaled_linear_schedule(range)
                                                    : cosine_schedule({.min_beta = 0, .max_beta = 0.999});
    return flag("rescale_betas_zero_snr") ? rescale_zero_terminal_snr(schedule) : schedule;
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
    if (entry.at("class") != "EulerDiscreteScheduler" && entry.at("class") != "HeunDiscreteScheduler") return 1;
    return std::sqrt(1 + std::pow(static_cast<double>(file.read<float>("sigmas").data()[level]), 2));
  }
  /// What the network is told; whole numbers are stored as such.
  std::vector<double> timesteps() const {
    std::vector<double> list;
    if (is_whole())
      for (auto const t : file.read<std::int64_t>("timesteps").span()) list.push_back(static_cast<double>(t));
    else
      for (auto const t : file.read<float>("timesteps").span()) list.push_back(t);
    return list;
  }
  bool is_whole() const { return entry.at("tensors").at("timesteps").at(1) == "torch.int64"; }
  /// x before call i of the network, in our scale.
  Tensor<float> x(Index i) const { return ops::affine(image("x", i), 1 / scale(i)); }
  /// Entry i of a stacked tensor, (N, C, H, W), as (N, H, W, C).
  Tensor<float> image(const std::string& key, Index i) const {
    auto const all = file.read<float>(key);
    auto const shape = all.shape();
    return reference::to_nhwc(all.slice(i, i + 1).reshape({shape[1], shape[2], shape[3], shape[4]}));
  }
};

// Sets the fields that all samplers share.
template <class Options>
Options common_options(const Recorded& r) {
  Options o;
  o.steps = r.steps();
  o.spacing = r.spacing();
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

// The same with the fields that choose noise levels.
template <class Options>
Options level_options(const Recorded& r) {
  auto o = common_options<Options>(r);
  o.karras = r.flag("use_karras_sigmas");
  o.exponential = r.flag("use_exponential_sigmas");
  o.end_at_smallest = r.is("final_sigmas_type", "sigma_min");
  return o;
}

// Adds the noise of Euler's schedulers before steps.
template <class Options>
Options with_churn(const Recorded& r, Options o) {
  auto const& given = r.entry.at("step_kwargs");
  o.s_churn = given.value("s_churn", o.s_churn);
  o.s_tmin = given.value("s_tmin", o.s_tmin);
  o.s_tmax = given.value("s_tmax", o.s_tmax);
  o.s_noise = given.value("s_noise", o.s_noise);
  return o;
}

// How far x0 moves when x or the table moves by one unit: 1 / sqrt(abar) for a predicted noise; for Karras' levels,
// and for the noise that an x0 implies near it, which start from sigma at timestep 0, 1 / sqrt(1 - abar_0).
double amplification(const Recorded& r, const Schedule& schedule) {
  double largest = 1;
  if (r.prediction() == Prediction::epsilon)
    for (double const t : r.timesteps())
      largest = std::max(largest, 1 / std::sqrt(schedule.alpha_bar(static_cast<int>(t))));
  if (r.flag("use_karras_sigmas") || r.is("final_sigmas_type", "sigma_min"))
    largest = std::max(largest, 1 / std::sqrt(1 - schedule.alpha_bar(0)));
  return largest;
}

// The largest error of x over a run of `sample(denoiser, x_T, noise, schedule, options)` with the recorded outputs of
// the network, relative to the largest x. Timesteps must be the recorded ones; fractions are of logarithms in float32.
template <class Options, class Sample>
double worst_error(const Recorded& r, const Schedule& schedule, Options options, const Sample& sample) {
  auto const timesteps = r.timesteps();
  Index calls = 0;
  double largest = 1, worst = 0;
  auto const denoiser = [&](const Tensor<float>& x, const Tensor<float>& t) {
    CHECK(std::abs(t.data()[0] - timesteps[static_cast<std::size_t>(calls)]) < 0.01);
    worst = std::max(worst, max_abs_difference(x, r.image("scaled_input", calls)));
    return r.image("model_output", calls++);
  };
  auto const noise = [&](int step, const Shape&) { return r.image("noise", step); };
  options.callback = [&](const SamplerStep& step) {
    auto const expected = r.x(calls);
    for (float const value : expected.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
    worst = std::max(worst, max_abs_difference(step.x, expected));
    if (r.file.contains("pred_x0")) worst = std::max(worst, max_abs_difference(step.x0, r.image("pred_x0", calls - 1)));
    return true;
  };
  sample(denoiser, r.x(0), noise, schedule, options);
  CHECK(calls == r.calls());
  return worst / largest;
}

// With diffusers' own table of abar, which it rounds to float32 and multiplies up in float32, x agrees to a few
// roundings, amplified where x0 comes from the noise. With ours, to ten times the error of that table, amplified alike.
template <class Options, class Sample>
void check_trajectory(const Recorded& r, const Options& options, const Sample& sample) {
  auto const exact = r.schedule();
  auto const table = r.file.read<float>("alphas_cumprod");
  Schedule rounded = exact;
  double table_error = 0;
  for (std::size_t t = 0; t < exact.alphas_cumprod.size(); ++t) {
    rounded.alphas_cumprod[t] = static_cast<double>(table.data()[t]);
    if (exact.alphas_cumprod[t] > 1e-9)
      table_error = std::max(table_error, std::abs(rounded.alphas_cumprod[t] / exact.alphas_cumprod[t] - 1));
  }
  double const few_roundings = 8 * 0x1p-23 * amplification(r, exact);
  INFO(r.name << ", error of the table " << table_error << ", amplification " << amplification(r, exact));
  CHECK(worst_error(r, rounded, options, sample) <= few_roundings);
  CHECK(worst_error(r, exact, options, sample) <= few_roundings + 10 * table_error * amplification(r, exact));
}

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

}  // namespace

TEST_CASE("DDPM follows diffusers' DDPMScheduler") {
  for_each_scheduler("DDPMScheduler", [](const Recorded& r) {
    auto options = common_options<DdpmSamplerOptions>(r);
    auto const& variance = r.config("variance_type");
    options.variance = variance == "fixed_large"     ? Variance::fixed_large
                       : variance == "learned_range" ? Variance::learned_range
                                                     : Variance::fixed_small;
    options.noise_at_last_step = true;
    check_trajectory(r, options, [&](auto const& f, auto const& x, auto const& noise, auto const& s, auto const& o) {
      return sample_ddpm(f, x, s, noise, o);
    });
  });
}

TEST_CASE("DDIM follows diffusers' DDIMScheduler") {
  for_each_scheduler("DDIMScheduler", [](const Recorded& r) {
    auto options = common_options<DdimOptions>(r);
    options.eta = r.entry.at("step_kwargs").value("eta", options.eta);
    check_trajectory(r, options, [&](auto const& f, auto const& x, auto const& noise, auto const& s, auto const& o) {
      return sample_ddim(f, x, s, noise, o);
    });
  });
}

TEST_CASE("DPM-Solver follows diffusers' DPMSolverMultistepScheduler") {
  for_each_scheduler("DPMSolverMultistepScheduler", [](const Recorded& r) {
    auto options = level_options<DpmSolverOptions>(r);
    auto const& algorithm = r.config("algorithm_type");
    options.algorithm = algorithm == "dpmsolver++"       ? DpmAlgorithm::dpm_solver_pp
                        : algorithm == "dpmsolver"       ? DpmAlgorithm::dpm_solver
                        : algorithm == "sde-dpmsolver++" ? DpmAlgorithm::sde_dpm_solver_pp
                                                         : DpmAlgorithm::sde_dpm_solver;
    options.second_order = r.is("solver_type", "heun") ? DpmSecondOrder::heun : DpmSecondOrder::midpoint;
    options.order = static_cast<int>(r.number("solver_order"));
    options.lower_order_final = r.flag("lower_order_final");
    options.euler_at_final = r.flag("euler_at_final");
    check_trajectory(r, options, [&](auto const& f, auto const& x, auto const& noise, auto const& s, auto const& o) {
      return sample_dpm_solver(f, x, s, noise, o);
    });
  });
}

TEST_CASE("Euler follows diffusers' EulerDiscreteScheduler") {
  for_each_scheduler("EulerDiscreteScheduler", [](const Recorded& r) {
    auto const options = with_churn(r, level_options<EulerOptions>(r));
    check_trajectory(r, options, [&](auto const& f, auto const& x, auto const& noise, auto const& s, auto const& o) {
      return sample_euler(f, x, s, noise, o);
    });
  });
}

TEST_CASE("Heun follows diffusers' HeunDiscreteScheduler") {
  for_each_scheduler("HeunDiscreteScheduler", [](const Recorded& r) {
    auto const options = level_options<HeunOptions>(r);
    check_trajectory(r, options, [&](auto const& f, auto const& x, auto const&, auto const& s, auto const& o) {
      return sample_heun(f, x, s, o);
    });
  });
}
