// Samplers with the exact denoiser of N(0, 0.5^2), where everything is known: each step multiplies x by a number.
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "check.hpp"

using namespace stipple;

namespace {

constexpr double data_variance = 0.25;

// E[x0 | x_t] = gain x_t.
double x0_gain(double abar) { return std::sqrt(abar) * data_variance / (abar * data_variance + 1 - abar); }
double epsilon_gain(double abar) { return (1 - std::sqrt(abar) * x0_gain(abar)) / std::sqrt(1 - abar); }

template <class S>
auto exact_denoiser(const Schedule& schedule, Prediction prediction) {
  return [&schedule, prediction](const Tensor<S>& x, const Tensor<S>& t) {
    double const abar = schedule.alpha_bar(static_cast<int>(t.data()[0]));
    double const gain = prediction == Prediction::x0        ? x0_gain(abar)
                        : prediction == Prediction::epsilon ? epsilon_gain(abar)
                        : prediction == Prediction::flow
                            ? epsilon_gain(abar) - x0_gain(abar)
                            : std::sqrt(abar) * epsilon_gain(abar) - std::sqrt(1 - abar) * x0_gain(abar);
    return ops::affine(x, gain);
  };
}

constexpr std::array kinds{Prediction::epsilon, Prediction::x0, Prediction::v, Prediction::flow};

// What a deterministic sampler multiplies x_T by, which is the standard deviation of its samples.
template <class Sample>
double factor_of(const Sample& sample) {
  return sample(Tensor<double>({1, 1}, 1.0)).item();
}

// Song et al. 2021, eq. 12, on numbers.
double ddim_factor(const Schedule& schedule, const std::vector<int>& list) {
  double factor = 1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    double const abar = schedule.alpha_bar(list[i]);
    double const next = i + 1 < list.size() ? schedule.alpha_bar(list[i + 1]) : 1;
    factor *= std::sqrt(next) * x0_gain(abar) + std::sqrt(1 - next) * epsilon_gain(abar);
  }
  return factor;
}

// The variance that DDPM's steps lead to from 1: mean of eq. 11 and its noise, on numbers.
double ddpm_variance(const Schedule& schedule, const std::vector<int>& list, Variance kind) {
  double variance = 1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    double const abar = schedule.alpha_bar(list[i]);
    double const next = i + 1 < list.size() ? schedule.alpha_bar(list[i + 1]) : 1;
    double const alpha = abar / next, beta = 1 - alpha;
    double const gain = (1 - beta / std::sqrt(1 - abar) * epsilon_gain(abar)) / std::sqrt(alpha);
    double const added = kind == Variance::fixed_large ? beta : beta * (1 - next) / (1 - abar);
    variance = gain * gain * variance + (i + 1 < list.size() ? added : 0);
  }
  return variance;
}

double deviation(const Tensor<float>& x) {
  double squares = 0;
  for (float const value : x.span()) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares / static_cast<double>(x.size()));
}

}  // namespace

TEST_CASE("every sampler reproduces the data's standard deviation with all timesteps") {
  for (auto const& schedule : {linear_schedule(), cosine_schedule(), quadratic_schedule(), sigmoid_schedule()}) {
    auto const f = exact_denoiser<double>(schedule, Prediction::epsilon);
    CHECK(factor_of([&](auto const& x) { return sample_ddim(f, x, schedule); }) == Approx(0.5).epsilon(0.01));
    for (int order : {1, 2, 3})
      CHECK(factor_of([&](auto const& x) { return sample_dpm_solver(f, x, schedule, {.order = order}); }) ==
            Approx(0.5).epsilon(0.01));
    CHECK(factor_of([&](auto const& x) { return sample_euler(f, x, schedule); }) == Approx(0.5).epsilon(0.01));
    CHECK(factor_of([&](auto const& x) { return sample_heun(f, x, schedule); }) == Approx(0.5).epsilon(0.01));
    for (auto const kind : {Variance::fixed_small, Variance::fixed_large})
      CHECK(std::sqrt(ddpm_variance(schedule, schedule.timesteps(1000), kind)) == Approx(0.5).epsilon(0.01));
  }
  // 40,000 samples: four standard errors are 1.4 %.
  auto const schedule = linear_schedule({.num_train_timesteps = 200, .beta_end = 0.1});
  auto const f = exact_denoiser<float>(schedule, Prediction::epsilon);
  Rng rng(1);
  auto const x = rng.normal({10000, 4});
  for (auto const kind : {Variance::fixed_small, Variance::fixed_large}) {
    double const expected = std::sqrt(ddpm_variance(schedule, schedule.timesteps(200), kind));
    CHECK(deviation(sample_ddpm(f, x, schedule, rng, {.variance = kind})) == Approx(expected).epsilon(0.015));
    CHECK(expected == Approx(0.5).epsilon(0.05));
  }
  CHECK(deviation(sample_ddim(f, x, schedule, rng, {.eta = 1})) ==
        Approx(std::sqrt(ddpm_variance(schedule, schedule.timesteps(200), Variance::fixed_small))).epsilon(0.015));
}

TEST_CASE("any number of steps follows the closed form") {
  auto const schedule = linear_schedule();
  for (auto const kind : kinds) {
    auto const f = exact_denoiser<double>(schedule, kind);
    for (int const steps : {1, 2, 3, 7, 49, 50, 333, 501, 999, 1000})
      for (auto const spacing : {Spacing::leading, Spacing::trailing, Spacing::linspace, Spacing::quadratic}) {
        INFO(to_text(kind) << ", " << steps << " steps");
        auto const list = schedule.timesteps(steps, spacing);
        double const expected = ddim_factor(schedule, list);
        auto const given = factor_of([&](auto const& x) {
          return sample_ddim(f, x, schedule, {.steps = steps, .spacing = spacing, .prediction = kind});
        });
        CHECK(given == Approx(expected).epsilon(1e-9));
        // DPM-Solver++ of order 1 is DDIM.
        auto const solver = factor_of([&](auto const& x) {
          return sample_dpm_solver(f, x, schedule, {.timesteps = list, .order = 1, .prediction = kind});
        });
        CHECK(solver == Approx(expected).epsilon(1e-9));
        // So is Euler's method.
        auto const euler = factor_of(
            [&](auto const& x) { return sample_euler(f, x, schedule, {.timesteps = list, .prediction = kind}); });
        CHECK(euler == Approx(expected).epsilon(1e-9));
      }
  }
}

TEST_CASE("DDPM with part of the timesteps follows the closed form") {
  auto const schedule = linear_schedule();
  auto const f = exact_denoiser<float>(schedule, Prediction::v);
  Rng rng(2);
  auto const x = rng.normal({10000, 4});
  for (int const steps : {1, 7, 50})
    for (auto const kind : {Variance::fixed_small, Variance::fixed_large}) {
      INFO(steps << " steps");
      auto const list = schedule.timesteps(steps, Spacing::trailing);
      auto const given =
          sample_ddpm(f, x, schedule, rng, {.timesteps = list, .variance = kind, .prediction = Prediction::v});
      CHECK(deviation(given) == Approx(std::sqrt(ddpm_variance(schedule, list, kind))).epsilon(0.015));
    }
}

TEST_CASE("Euler with the posterior's noise is DDIM with it") {
  auto const schedule = linear_schedule();
  Rng start(9);
  auto const x = start.normal({5, 3});
  for (auto const kind : kinds)
    for (double const eta : {0.4, 1.0}) {
      auto const f = exact_denoiser<float>(schedule, kind);
      auto const list = schedule.timesteps(9);
      Rng rng(1), same(1);
      auto const ddim = sample_ddim(f, x, schedule, rng, {.steps = 9, .eta = eta, .prediction = kind});
      auto const euler = sample_euler(f, x, schedule, same, {.timesteps = list, .eta = eta, .prediction = kind});
      CHECK(max_abs_difference(euler, ddim) <= 1e-5);
      CHECK(rng.draws() == same.draws());
    }
}

namespace {

// Schedules fine enough to choose noise levels freely, and their errors with the exact denoiser.
struct FineSchedule {
  Schedule schedule = cosine_schedule({.num_train_timesteps = 100000, .min_beta = 0, .max_beta = 0.9});

  // `steps` equal steps of log(alpha / sigma) over [-4, 4]; what lies beyond adds less than 1e-3 at both ends.
  std::vector<int> equal_steps(int steps) const {
    std::vector<int> list;
    int t = 99999;
    for (int i = 0; i <= steps; ++i) {
      double const wanted = -4 + 8.0 * i / steps, abar = 1 / (1 + std::exp(-2 * wanted));
      while (schedule.alpha_bar(t) < abar) --t;
      list.push_back(t);
    }
    return list;
  }

  // The relative error of `sample(denoiser, x_T, schedule, options)` at the last of these timesteps.
  template <class Options, class Sample>
  double error(int steps, Options options, const Sample& sample) const {
    auto const list = equal_steps(steps);
    // The exact solution of the flow scales x by the ratio of the standard deviations of x_t.
    auto const spread = [&](int at) { return std::sqrt(1 - schedule.alpha_bar(at) * (1 - data_variance)); };
    double reached = 0;
    options.timesteps = list;
    options.prediction = Prediction::v;
    options.callback = [&, steps](const SamplerStep& step) {
      reached = static_cast<double>(step.x.item());
      return step.index + 1 < steps;
    };
    sample(exact_denoiser<double>(schedule, Prediction::v), Tensor<double>({1, 1}, 1.0), schedule, options);
    return std::abs(reached / (spread(list.back()) / spread(list.front())) - 1);
  }
};

}  // namespace

TEST_CASE("the error of DPM-Solver falls with its order") {
  FineSchedule const fine;
  auto const error = [&](int steps, DpmSolverOptions options) {
    options.lower_order_final = false;
    return fine.error(steps, options, [](auto const& f, auto const& x, auto const& s, auto const& o) {
      return sample_dpm_solver(f, x, s, o);
    });
  };
  for (auto const algorithm : {DpmAlgorithm::dpm_solver_pp, DpmAlgorithm::dpm_solver})
    for (auto const form : {DpmSecondOrder::midpoint, DpmSecondOrder::heun}) {
      for (int order : {1, 2, 3}) {
        DpmSolverOptions const options{
            .order = order, .algorithm = algorithm, .second_order = form, .end_at_smallest = true};
        double const coarse = error(32, options), halved = error(64, options);
        INFO("order " << order << ": " << coarse << " with 32 steps, " << halved << " with 64");
        // The first steps have order 1 and 2, and order 3 in diffusers' form gains no more than a factor.
        CHECK(coarse / halved > std::pow(2, std::min(order, 2) - 0.4));
      }
      CHECK(error(32, {.order = 2, .algorithm = algorithm, .second_order = form, .end_at_smallest = true}) <
            error(32, {.order = 1, .algorithm = algorithm, .end_at_smallest = true}) / 5);
    }
}

TEST_CASE("the error of Euler falls with the step, that of Heun with its square") {
  FineSchedule const fine;
  auto const euler = [&](int steps) {
    return fine.error(steps, EulerOptions{}, [](auto const& f, auto const& x, auto const& s, auto const& o) {
      return sample_euler(f, x, s, o);
    });
  };
  auto const heun = [&](int steps) {
    return fine.error(steps, HeunOptions{}, [](auto const& f, auto const& x, auto const& s, auto const& o) {
      return sample_heun(f, x, s, o);
    });
  };
  double const first = std::log2(euler(64) / euler(128)), second = std::log2(heun(64) / heun(128));
  INFO("orders " << first << " and " << second << ", errors " << euler(64) << " and " << heun(64));
  CHECK(first == Approx(1).margin(0.1));
  CHECK(second == Approx(2).margin(0.2));
  CHECK(heun(64) < euler(64) / 10);
}

TEST_CASE("noise on the way leaves the exact solution's standard deviation") {
  auto const schedule = linear_schedule({.num_train_timesteps = 200, .beta_end = 0.1});
  auto const f = exact_denoiser<float>(schedule, Prediction::epsilon);
  Rng rng(1);
  auto const x = rng.normal({10000, 4});
  // 40,000 samples: four standard errors are 1.4 %. The steps' own errors are up to 3 % with order 1, and below 1 %.
  for (auto const algorithm : {DpmAlgorithm::sde_dpm_solver_pp, DpmAlgorithm::sde_dpm_solver})
    for (int const order : {1, 2}) {
      INFO("order " << order);
      auto const given =
          sample_dpm_solver(f, x, schedule, rng, {.order = order, .algorithm = algorithm, .end_at_smallest = true});
      CHECK(deviation(given) == Approx(0.5).epsilon(order == 1 ? 0.045 : 0.025));
    }
  // Churn asks for levels between timesteps; this denoiser knows the next one only.
  CHECK(deviation(sample_heun(f, x, schedule, rng, {.timesteps = schedule.timesteps(200), .s_churn = 40})) ==
        Approx(0.5).epsilon(0.05));
}

TEST_CASE("the stochastic solver of order 1 is DDPM") {
  auto const schedule = linear_schedule();
  Rng start(9);
  auto const x = start.normal({5, 3});
  for (auto const kind : kinds) {
    auto const f = exact_denoiser<float>(schedule, kind);
    auto const list = schedule.timesteps(9);
    Rng rng(1), same(1);
    auto const ddpm = sample_ddpm(f, x, schedule, rng, {.timesteps = list, .prediction = kind});
    auto const solver = sample_dpm_solver(
        f, x, schedule, same,
        {.timesteps = list, .order = 1, .algorithm = DpmAlgorithm::sde_dpm_solver_pp, .prediction = kind});
    CHECK(max_abs_difference(solver, ddpm) <= 1e-5);
    CHECK(rng.draws() == same.draws());
  }
}

TEST_CASE("a schedule with nothing of the data left works with all predictions but epsilon") {
  auto const schedule = rescale_zero_terminal_snr(linear_schedule());
  Rng rng(1);
  Tensor<double> const x({3, 2}, 1.0);
  for (auto const kind : {Prediction::v, Prediction::x0, Prediction::flow}) {
    auto const f = exact_denoiser<double>(schedule, kind);
    auto const half = Approx(0.5).epsilon(0.01);
    CHECK(factor_of([&](auto const& one) { return sample_euler(f, one, schedule, {.prediction = kind}); }) == half);
    CHECK(factor_of([&](auto const& one) { return sample_heun(f, one, schedule, {.prediction = kind}); }) == half);
    for (int const order : {1, 2, 3})
      CHECK(factor_of([&](auto const& one) {
              return sample_dpm_solver(f, one, schedule, {.order = order, .prediction = kind});
            }) == half);
    require_error([&] { sample_euler(f, x, schedule, {.karras = true, .prediction = kind}); }, "up to infinity");
    require_error(
        [&] {
          sample_dpm_solver(f, x, schedule,
                            {.algorithm = DpmAlgorithm::dpm_solver, .end_at_smallest = true, .prediction = kind});
        },
        "from where nothing of the data is left");
    CHECK(factor_of([&](auto const& one) { return sample_ddim(f, one, schedule, {.prediction = kind}); }) ==
          Approx(0.5).epsilon(0.01));
    auto const end = sample_ddpm(f, x, schedule, rng, {.prediction = kind});
    for (double const value : end.span()) CHECK(std::isfinite(value));
  }
  auto const f = exact_denoiser<double>(schedule, Prediction::epsilon);
  require_error([&] { sample_ddim(f, x, schedule); }, "nothing of the data is left");
  require_error([&] { sample_ddpm(f, x, schedule, rng); }, "nothing of the data is left");
  require_error([&] { sample_dpm_solver(f, x, schedule); }, "nothing of the data is left at timestep 999");
  require_error([&] { sample_heun(f, x, schedule); }, "nothing of the data is left at timestep 999");
}
