// Samplers against the courses' formulas, with the networks 0.3 x + 0.1 sin t and 0.2 x - 0.05 cos t.
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>

#include "formulas.hpp"

using namespace stipple;

namespace {

template <class S>
Tensor<S> conditional(const Tensor<S>& x, double t) {
  return ops::affine(x, 0.3, 0.1 * std::sin(t));
}
template <class S>
Tensor<S> unconditional(const Tensor<S>& x, double t) {
  return ops::affine(x, 0.2, -0.05 * std::cos(t));
}

// The stored normals of a trajectory, step by step.
template <class S>
auto stored_noise(const std::string& key) {
  return [all = formulas::input<S>(key)](int step, const Shape& shape) {
    return all.slice(step, step + 1).reshape(shape);
  };
}

// Collects the x that a sampler shows its denoiser: x_T, then x after each step but the last.
template <class S>
struct Recorder {
  std::vector<Tensor<S>> seen;

  // Steps [first, last) of the trajectory, `end` being x after the last step.
  Tensor<S> trajectory(const Tensor<S>& end, std::size_t first, std::size_t last) const {
    Tensor<S> all({static_cast<Index>(last - first), end.dim(0), end.dim(1)});
    for (std::size_t i = first; i < last; ++i) {
      auto const& x = i + 1 < seen.size() ? seen[i + 1] : end;
      auto row = all.slice(static_cast<Index>(i - first), static_cast<Index>(i - first) + 1);
      row.copy_from(x.reshape(row.shape()));
    }
    return all;
  }
};

template <class S, class Model>
void check_reverse(const std::string& key, const Schedule& schedule, int first_t, DdpmSamplerOptions options,
                   const Model& model) {
  Recorder<S> recorder;
  auto const denoiser = [&](const Tensor<S>& x, const Tensor<S>& t) {
    recorder.seen.push_back(x);
    return model(x, static_cast<double>(t.data()[0]) + first_t);
  };
  auto const end =
      sample_ddpm(denoiser, formulas::input<S>("reverse.xT"), schedule, stored_noise<S>("reverse.noise"), options);
  formulas::check(key, recorder.trajectory(end, 0, 12));
}

template <class S>
void check_ddpm() {
  auto const model = conditional<S>;
  BetaRange const range{.num_train_timesteps = 12};
  DdpmSamplerOptions const small{}, large{.variance = Variance::fixed_large};
  check_reverse<S>("reverse.kaist.linear.small", linear_schedule(range), 0, small, model);
  check_reverse<S>("reverse.kaist.linear.large", linear_schedule(range), 0, large, model);
  check_reverse<S>("reverse.kaist.quad.small", quadratic_schedule(range), 0, small, model);
  for (std::string const name : {"linear", "cosine", "quadratic", "sigmoid"})
    check_reverse<S>("reverse.ai504." + name, schedule_by_name(name, 12), 0, small, model);
  check_reverse<S>("reverse.berkeley", linear_schedule(range), 1, small, model);
  check_reverse<S>("reverse.berkeley.x0form", linear_schedule(range), 1, small, model);
  check_reverse<S>("reverse.berkeley.sqrt_beta", linear_schedule(range), 1, large, model);
  check_reverse<S>("reverse.radboud", linear_schedule(range), 0, large, model);
  // The list of all timesteps, and as many steps as there are, are the same run.
  check_reverse<S>("reverse.radboud", linear_schedule(range), 0, {.steps = 12, .variance = Variance::fixed_large},
                   model);
  check_reverse<S>("reverse.radboud", linear_schedule(range), 0,
                   {.timesteps = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, .variance = Variance::fixed_large}, model);
}

template <class S>
void check_ddim() {
  for (double const eta : {0.0, 0.5, 1.0}) {
    Recorder<S> recorder;
    auto const denoiser = [&](const Tensor<S>& x, const Tensor<S>& t) {
      recorder.seen.push_back(x);
      return conditional(x, static_cast<double>(t.data()[0]));
    };
    auto const end = sample_ddim(denoiser, formulas::input<S>("ddim.xT"), linear_schedule(),
                                 stored_noise<S>("ddim.noise"), {.steps = 50, .eta = eta});
    std::string const key = eta == 0 ? "ddim.eta0." : eta == 1 ? "ddim.eta1." : "ddim.eta0.5.";
    formulas::check(key + "first5", recorder.trajectory(end, 0, 5));
    formulas::check(key + "last5", recorder.trajectory(end, 45, 50));
  }
}

// (x, t, labels) -> prediction; label 0 stands for no condition.
struct Labelled {
  int first_t = 0;

  template <Real S>
  Tensor<S> operator()(const Tensor<S>& x, const Tensor<S>& t, const Tensor<std::int32_t>& labels) const {
    Tensor<S> out(x.shape());
    for (Index i = 0; i < x.dim(0); ++i) {
      double const step = static_cast<double>(t.data()[i]) + first_t;
      auto const row = x.slice(i, i + 1);
      out.slice(i, i + 1).copy_from(labels.data()[i] == 0 ? unconditional(row, step) : conditional(row, step));
    }
    return out;
  }
};

template <class S>
void check_guidance() {
  auto const x = formulas::input<S>("cfg.x");
  Tensor<S> const t({4}, S(7));
  Tensor<std::int32_t> const labels({4}, {1, 2, 3, 1});
  for (double const scale : {0.0, 1.0, 5.0, 7.5}) {
    std::string const number = scale == 7.5 ? "7.5" : std::to_string(static_cast<int>(scale));
    GuidanceOptions const paper{.scale = scale}, between{.scale = scale, .form = GuidanceForm::interpolate};
    formulas::check("cfg.paper." + number, guided(Labelled{}, labels, paper)(x, t));
    formulas::check("cfg.interpolate." + number, guided(Labelled{}, labels, between)(x, t));
    auto const schedule = linear_schedule({.num_train_timesteps = 12});
    auto const kaist = sample_ddpm(guided(Labelled{}, labels, paper), formulas::input<S>("reverse.xT"), schedule,
                                   stored_noise<S>("reverse.noise"));
    auto const berkeley = sample_ddpm(guided(Labelled{1}, labels, between), formulas::input<S>("reverse.xT"), schedule,
                                      stored_noise<S>("reverse.noise"));
    auto const last = [](const std::string& key) { return formulas::truth(key).slice(11, 12).reshape({4, 2}); };
    double const allowed = std::is_same_v<S, double> ? 1e-9 : formulas::float_tolerance("reverse.cfg.kaist." + number);
    CHECK(max_abs_difference(kaist, last("reverse.cfg.kaist." + number)) <= allowed);
    CHECK(max_abs_difference(berkeley, last("reverse.cfg.berkeley." + number)) <= allowed);
  }
}

}  // namespace

TEST_CASE("DDPM follows every course's reverse trajectory") {
  check_ddpm<float>();
  check_ddpm<double>();
}

TEST_CASE("DDIM follows the reference trajectory for three values of eta") {
  check_ddim<float>();
  check_ddim<double>();
  auto const schedule = linear_schedule();
  auto const list = schedule.timesteps(50);
  for (auto const& [eta, key] : {std::pair{0.5, "ddim.eta0.5.sigma"}, std::pair{1.0, "ddim.eta1.sigma"}}) {
    Tensor<double> sigma({50});
    for (std::size_t i = 0; i < 50; ++i)
      sigma.data()[i] = ddim_sigma(eta, schedule.alpha_bar(list[i]), i + 1 < 50 ? schedule.alpha_bar(list[i + 1]) : 1);
    formulas::check(key, sigma);
    CHECK(sigma.data()[49] == 0);
  }
}

TEST_CASE("DDPM without noise is the deterministic sampler") {
  auto const none = [](int, const Shape& shape) { return Tensor<double>(shape, 0.0); };
  auto const denoiser = [](const Tensor<double>& x, const Tensor<double>& t) { return conditional(x, t.data()[0]); };
  auto const end =
      sample_ddpm(denoiser, formulas::input<double>("reverse.xT"), linear_schedule({.num_train_timesteps = 12}), none);
  auto const expected = formulas::truth("reverse.radboud.deterministic").slice(11, 12).reshape({4, 2});
  CHECK(max_abs_difference(end, expected) <= 1e-9);
}

TEST_CASE("the mean of the posterior with the predicted x0 is the mean of eq. 11") {
  auto const schedule = linear_schedule();
  for (int t = 0; t < 1000; t += 37) {
    auto const at = static_cast<std::size_t>(t);
    auto const w = detail::ddpm_weights(Prediction::epsilon, schedule.alpha_bar(t), schedule.alpha_bar(t - 1));
    CHECK(w.x0 == Approx(schedule.posterior_mean_coef1[at]).epsilon(1e-9));
    CHECK(w.x == Approx(schedule.posterior_mean_coef2[at]).margin(1e-12).epsilon(1e-9));
    CHECK(w.x + w.x0 * w.x0_form.a == Approx(schedule.sqrt_recip_alphas[at]).epsilon(1e-9));
    CHECK(w.x0 * w.x0_form.b ==
          Approx(-schedule.betas[at] / schedule.sqrt_one_minus_alphas_cumprod[at] * schedule.sqrt_recip_alphas[at])
              .epsilon(1e-9));
  }
}

TEST_CASE("guidance in both forms, alone and within DDPM") {
  check_guidance<float>();
  check_guidance<double>();
}
