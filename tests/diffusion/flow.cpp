// Flow matching: times, sampling and training.
#include <stipple/diffusion/flow.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "invariance.hpp"
#include "recorded.hpp"

using namespace stipple;
using namespace recorded;

namespace {

constexpr double data_deviation = 0.5;

// The exact velocity for N(0, 0.5^2): dx/dt = x d/dt log sqrt(0.25 (1 - t)^2 + t^2).
Tensor<double> exact_velocity(const Tensor<double>& x, const Tensor<double>& told) {
  double const t = told.data()[0] / 1000, variance = data_deviation * data_deviation;
  return ops::affine(x, (t - variance * (1 - t)) / (variance * (1 - t) * (1 - t) + t * t));
}

}  // namespace

TEST_CASE("Euler along a flow follows diffusers' FlowMatchEulerDiscreteScheduler") {
  for_each_scheduler("FlowMatchEulerDiscreteScheduler", [](const Recorded& r) {
    EulerOptions const options{.steps = r.steps(),
                               .karras = r.flag("use_karras_sigmas"),
                               .exponential = r.flag("use_exponential_sigmas"),
                               .prediction = Prediction::flow};
    FlowSchedule const schedule{.num_train_timesteps = static_cast<int>(r.number("num_train_timesteps")),
                                .shift = r.number("shift"),
                                .terminal = r.config("shift_terminal").is_null() ? 0 : r.number("shift_terminal")};
    INFO(r.name);
    CHECK(worst_error(r, options, [&](auto const& f, auto const& x, auto const&, auto const& o) {
            return sample_euler(f, x, schedule, o);
          }) <= 8 * 0x1p-23);
  });
}

TEST_CASE("the error along a flow falls with the step, and with its square for Heun") {
  Tensor<double> const one({1, 1}, 1.0);
  auto const euler = [&](int steps, double shift) {
    FlowSchedule const schedule{.shift = shift, .smallest = 1.0 / steps};
    auto const x = sample_euler(exact_velocity, one, schedule, {.steps = steps, .prediction = Prediction::flow});
    return std::abs(x.item() / data_deviation - 1);
  };
  // Heun's last step is Euler's, of order 2 for one step: the error of one small step.
  auto const heun = [&](int steps) {
    FlowSchedule const schedule{.smallest = 1.0 / steps};
    auto const x = sample_heun(exact_velocity, one, schedule, {.steps = steps, .prediction = Prediction::flow});
    return std::abs(x.item() / data_deviation - 1);
  };
  for (double const shift : {1.0, 3.0}) {
    INFO("shift " << shift << ": " << euler(64, shift));
    CHECK(std::log2(euler(64, shift) / euler(128, shift)) == Approx(1).margin(0.15));
  }
  INFO(heun(64));
  CHECK(std::log2(heun(64) / heun(128)) == Approx(2).margin(0.3));
  CHECK(heun(64) < euler(64, 1) / 5);
}

TEST_CASE("flow matching predicts noise less data at a time between them") {
  auto const x0 = random_tensor({6, 3, 2});
  for (auto const times : {FlowTimes::uniform, FlowTimes::logit_normal}) {
    FlowMatching const flow{.num_train_timesteps = 100, .times = times, .logit_mean = -0.5, .logit_deviation = 1.5};
    Rng rng(3), same(3);
    auto const batch = flow.noised<float>(x0, rng, 2);
    bool const uniform = times == FlowTimes::uniform;
    auto const drawn = uniform ? same.uniform({6}, 0, 1, Purpose::timestep, 2) : same.normal({6}, Purpose::timestep, 2);
    auto const noise = draw_normal(same, x0.shape(), Purpose::noise, 2);
    CHECK(rng.draws() == same.draws());
    for (Index i = 0; i < 6; ++i) {
      auto const z = static_cast<double>(drawn.data()[i]);
      double const t = uniform ? z : 1 / (1 + std::exp(0.5 - 1.5 * z));
      CHECK(batch.t.data()[i] == Approx(100 * t));
      for (Index j = 6 * i; j < 6 * i + 6; ++j) {
        double const data = x0.data()[j], normal = noise.data()[j];
        CHECK(batch.x_t.data()[j] == Approx((1 - t) * data + t * normal).margin(1e-6));
        CHECK(batch.target.data()[j] == Approx(normal - data).margin(1e-6));
      }
    }
    Rng again(3);
    CHECK(same_bits(flow.noised<float>(x0.slice(2, 4), again, 4).target, batch.target.slice(2, 4)));
  }
  auto const half = [](const Var<float>& x, const Tensor<float>&) { return Var<float>(ops::affine(x.value(), 0.5)); };
  Rng rng(3), same(3);
  auto const batch = FlowMatching{}.noised<float>(x0, same);
  double sum = 0;
  for (Index i = 0; i < x0.size(); ++i)
    sum += std::pow(0.5 * static_cast<double>(batch.x_t.data()[i]) - static_cast<double>(batch.target.data()[i]), 2);
  CHECK(FlowMatching{}.loss(half, x0, rng).item() == Approx(sum / 36).epsilon(1e-5));
}

TEST_CASE("bad input to flows is refused") {
  Tensor<double> const x({2, 3}, 1.0);
  FlowSchedule const flow;
  auto const euler = [&](EulerOptions o) { return [&, o] { sample_euler(exact_velocity, x, flow, o); }; };
  require_error(euler({.steps = 4}), "prediction epsilon: nothing of the data is left");
  require_error(euler({.steps = 4, .prediction = Prediction::v}), "given prediction v for a flow");
  require_error(euler({.prediction = Prediction::flow}), "given 0 steps for a flow");
  Rng rng(1);
  require_error(
      [&] { sample_heun(exact_velocity, x, flow, rng, {.steps = 4, .s_churn = 1, .prediction = Prediction::flow}); },
      "given s_churn or eta for a flow");
  require_error([&] { sample_dpm_solver(exact_velocity, x, flow, {.steps = 4, .prediction = Prediction::flow}); },
                "sample_dpm_solver: given a flow");
  require_error(
      [&] { sample_euler(exact_velocity, x, FlowSchedule{.shift = 0}, {.steps = 4, .prediction = Prediction::flow}); },
      "shift 0");
  require_error(
      [&] {
        sample_euler(exact_velocity, x, FlowSchedule{.terminal = 1}, {.steps = 4, .prediction = Prediction::flow});
      },
      "given terminal time 1");
  require_error(
      [&] {
        FlowMatching{.num_train_timesteps = 0}.noised<float>(Tensor<float>({1, 1}, 0.0f), rng);
      },
      "given 0 timesteps");
}
