// EDM: noise levels, preconditioning, sampling and training, with N(0, sigma_data^2), whose exact D has F = 0.
#include <stipple/diffusion/edm.hpp>
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "invariance.hpp"
#include "recorded.hpp"

using namespace stipple;
using namespace recorded;

namespace {

EdmSchedule schedule_of(const Recorded& r) {
  return {.sigma_min = r.number("sigma_min"), .sigma_max = r.number("sigma_max"), .rho = r.number("rho")};
}
EdmPreconditioning preconditioning_of(const Recorded& r) {
  return {.sigma_data = r.number("sigma_data"), .negated = r.is("prediction_type", "v_prediction")};
}

template <class Options>
Options edm_options(const Recorded& r) {
  auto o = level_options<Options>(r);
  o.prediction = Prediction::epsilon;  // what `preconditioned` makes of either
  o.exponential = r.is("sigma_schedule", "exponential");
  return o;
}

// x agrees to a few roundings and ten times the error of diffusers' sigmas, which it may compute in float32.
template <class Options, class Sample>
void check_edm(const Recorded& r, const Options& options, const Sample& sample) {
  auto const schedule = schedule_of(r);
  auto const levels = noise_levels(schedule, LevelChoice(r.name.c_str(), options));
  auto const sigmas = r.file.read<float>("sigmas");
  double sigma_error = 0;
  REQUIRE(static_cast<Index>(levels.at.size()) == sigmas.size());
  for (std::size_t i = 0; i + 1 < levels.at.size(); ++i)
    sigma_error = std::max(sigma_error, std::abs(sigmas.data()[i] / levels.at[i].sigma - 1));
  CHECK(sigma_error <= 1e-5);
  INFO(r.name << ", error of the sigmas " << sigma_error);
  CHECK(worst_error(
            r, options,
            [&](auto const& f, auto const& x, auto const& noise, auto const& o) {
              return sample(preconditioned(f, preconditioning_of(r)), x, schedule, noise, o);
            },
            schedule.sigma_max) <= 8 * 0x1p-23 + 10 * sigma_error);
}

Tensor<double> nothing(const Tensor<double>& x, const Tensor<double>&) { return Tensor<double>(x.shape(), 0.0); }

}  // namespace

TEST_CASE("Euler over EDM's levels follows diffusers' EDMEulerScheduler") {
  for_each_scheduler("EDMEulerScheduler", [](const Recorded& r) {
    check_edm(r, with_churn(r, edm_options<EulerOptions>(r)),
              [](auto const& f, auto const& x, auto const& s, auto const& noise, auto const& o) {
                return sample_euler(f, x, s, noise, o);
              });
  });
}

TEST_CASE("DPM-Solver++ over EDM's levels follows diffusers' EDMDPMSolverMultistepScheduler") {
  for_each_scheduler("EDMDPMSolverMultistepScheduler", [](const Recorded& r) {
    auto options = edm_options<DpmSolverOptions>(r);
    options.algorithm =
        r.is("algorithm_type", "sde-dpmsolver++") ? DpmAlgorithm::sde_dpm_solver_pp : DpmAlgorithm::dpm_solver_pp;
    options.second_order = r.is("solver_type", "heun") ? DpmSecondOrder::heun : DpmSecondOrder::midpoint;
    options.order = static_cast<int>(r.number("solver_order"));
    options.lower_order_final = r.flag("lower_order_final");
    options.euler_at_final = r.flag("euler_at_final");
    check_edm(r, options, [](auto const& f, auto const& x, auto const& s, auto const& noise, auto const& o) {
      return sample_dpm_solver(f, x, s, noise, o);
    });
  });
}

TEST_CASE("the error over EDM's levels falls with the order of the method") {
  // The exact solution scales x by the ratio of the standard deviations; the last level is left for the data.
  EdmSchedule const schedule;
  EdmPreconditioning const with{.sigma_data = 0.7};
  auto const exact = std::hypot(schedule.sigma_min, 0.7) / std::hypot(schedule.sigma_max, 0.7) * schedule.sigma_max;
  Tensor<double> const one({1, 1}, 1.0);
  auto const f = preconditioned(nothing, with);
  auto const euler = [&](int steps) {
    return std::abs(sample_euler(f, one, schedule, {.steps = steps, .end_at_smallest = true}).item() / exact - 1);
  };
  auto const heun = [&](int steps) {
    return std::abs(sample_heun(f, one, schedule, {.steps = steps, .end_at_smallest = true}).item() / exact - 1);
  };
  auto const solver = [&](int steps) {
    DpmSolverOptions const options{.steps = steps, .lower_order_final = false, .end_at_smallest = true};
    return std::abs(sample_dpm_solver(f, one, schedule, options).item() / exact - 1);
  };
  INFO(euler(200) << ", " << heun(200) << ", " << solver(200));
  // A list of n levels has n - 1 steps that go somewhere.
  CHECK(std::log2(euler(201) / euler(401)) == Approx(1).margin(0.1));
  CHECK(std::log2(heun(201) / heun(401)) == Approx(2).margin(0.2));
  CHECK(std::log2(solver(201) / solver(401)) == Approx(2).margin(0.3));
  // 18 steps, as in the paper, of second order.
  CHECK(sample_heun(f, one, schedule, {.steps = 18}).item() == Approx(0.7).epsilon(0.06));
}

TEST_CASE("churn over EDM's levels leaves the data's standard deviation, and the same samples in every batch") {
  auto const f =
      preconditioned([](const Tensor<float>& x, const Tensor<float>&) { return Tensor<float>(x.shape(), 0.0f); });
  Rng start(1);
  auto const x = start.normal({10000, 4});
  HeunOptions options{.steps = 40, .s_churn = 10, .s_tmin = 0.05, .s_tmax = 50};
  Rng rng(2);
  auto const given = sample_heun(f, x, EdmSchedule{}, rng, options);
  double squares = 0;
  for (float const value : given.span()) squares += static_cast<double>(value) * static_cast<double>(value);
  // 40,000 samples: four standard errors are 1.4 %.
  CHECK(std::sqrt(squares / 40000) == Approx(0.5).epsilon(0.03));
  Rng same(2);
  options.first_sample = 20;
  CHECK(same_bits(sample_heun(f, x.slice(20, 27), EdmSchedule{}, same, options), given.slice(20, 27)));
}

TEST_CASE("a preconditioned network is told c_noise and shown c_in x, with one sigma a sample") {
  EdmPreconditioning const with{.sigma_data = 0.8};
  auto const x = ops::cast<double>(random_tensor({3, 4}));
  Tensor<double> const sigma({3}, {0.01, 1.5, 70});
  for (bool const negated : {false, true}) {
    auto const noise = preconditioned(
        [&](const Tensor<double>& input, const Tensor<double>& t) {
          for (Index i = 0; i < 3; ++i) CHECK(t.data()[i] == Approx(std::log(sigma.data()[i]) / 4));
          for (Index i = 0; i < 12; ++i)
            CHECK(input.data()[i] == Approx(x.data()[i] / std::sqrt(std::pow(sigma.data()[i / 4], 2) + 0.64)));
          return ops::affine(input, 0, negated ? -0.3 : 0.3);
        },
        {.sigma_data = 0.8, .negated = negated})(x, sigma);
    for (Index i = 0; i < 12; ++i) {
      double const s = sigma.data()[i / 4], d = with.c_skip(s) * x.data()[i] + with.c_out(s) * 0.3;
      CHECK(x.data()[i] - s * noise.data()[i] == Approx(d));
    }
  }
}

TEST_CASE("guidance of F is guidance of D") {
  // c and u are numbers that the label chooses: F = (1 + w) c - w u.
  auto const conditional = [](const Tensor<float>& x, const Tensor<float>&, const Tensor<std::int32_t>& labels) {
    Tensor<float> y(x.shape());
    for (Index i = 0; i < x.size(); ++i) y.data()[i] = labels.data()[i / (x.size() / x.dim(0))] == 0 ? 0.1f : 0.3f;
    return y;
  };
  auto const x = random_tensor({2, 3});
  Tensor<std::int32_t> const labels({2}, 1);
  auto const given =
      sample_heun(preconditioned(guided(conditional, labels, {.scale = 2})), x, EdmSchedule{}, {.steps = 6});
  auto const number = [](const Tensor<float>& at, const Tensor<float>&) { return Tensor<float>(at.shape(), 0.7f); };
  CHECK(max_abs_difference(given, sample_heun(preconditioned(number), x, EdmSchedule{}, {.steps = 6})) <= 1e-5);
}

TEST_CASE("the target of EDM's training makes D of x the data, and its weight makes it one number for all sigma") {
  auto const x0 = random_tensor({6, 3, 2});
  for (bool const negated : {false, true}) {
    Edm const edm{.preconditioning = {.sigma_data = 0.6, .negated = negated}};
    Rng rng(3), same(3);
    auto const batch = edm.noised<double>(x0, rng, 2);
    auto const z = same.normal({6}, Purpose::timestep, 2);
    for (Index i = 0; i < 6; ++i) {
      double const sigma = std::exp(-1.2 + 1.2 * static_cast<double>(z.data()[i]));
      CHECK(batch.t.data()[i] == Approx(std::log(sigma) / 4));
      for (Index j = 6 * i; j < 6 * i + 6; ++j) {
        double const x = batch.x_t.data()[j] / edm.preconditioning.c_in(sigma);
        double const d =
            edm.preconditioning.c_skip(sigma) * x + edm.preconditioning.c_out(sigma) * batch.target.data()[j];
        CHECK(d == Approx(x0.data()[j]).margin(1e-5));
      }
    }
    auto const part = edm.noised<float>(x0.slice(2, 4), same = Rng(3), 4);
    CHECK(same_bits(part.x_t, edm.noised<float>(x0, rng = Rng(3), 2).x_t.slice(2, 4)));
  }
  // For data of that deviation and F = 0 the expected loss is 1.
  Rng rng(5);
  auto const data = ops::affine(rng.normal({20000, 2}), 0.5);
  auto const none = [](const Var<float>& x, const Tensor<float>&) {
    return Var<float>(Tensor<float>(x.shape(), 0.0f));
  };
  CHECK(Edm{}.loss(none, data, rng).item() == Approx(1).epsilon(0.03));
}

TEST_CASE("bad input to EDM is refused") {
  Tensor<double> const x({2, 3}, 1.0);
  auto const f = preconditioned(nothing);
  auto const euler = [&](EulerOptions o) { return [&, o] { sample_euler(f, x, EdmSchedule{}, o); }; };
  require_error(euler({}), "sample_euler: given 0 steps for EDM's noise levels, wanted at least 1");
  require_error(euler({.timesteps = {3, 1}}), "given timesteps, a spacing or an offset for EDM's noise levels");
  require_error(euler({.steps = 3, .prediction = Prediction::v}), "given prediction v for EDM's noise levels");
  require_error([&] { sample_heun(f, x, EdmSchedule{.sigma_min = 0}, {.steps = 3}); }, "given sigma from 0 to 80");
  require_error([&] { preconditioned(nothing, {.sigma_data = 0}); }, "given sigma_data 0");
  require_error([&] { f(x, Tensor<double>({2}, 0.0)); }, "given sigma 0, wanted more than 0");
  require_error([&] { f(x, Tensor<double>({3}, 1.0)); }, "given sigma (3) for x of shape (2, 3)");
  Rng rng(1);
  require_error([&] { Edm{}.noised<float>(Tensor<float>(), rng); }, "Edm: given data of shape ()");
}
