// What all samplers promise: the same sample in any batch, callbacks, networks of any type, refusal of bad input.
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

// Any smooth function of x and t, element by element.
Tensor<float> curved(const Tensor<float>& x, const Tensor<float>& t) {
  Tensor<float> y(x.shape());
  Index const row = x.shape().count(1, x.rank());
  for (Index i = 0; i < x.size(); ++i) {
    float const value = x.data()[i];
    y.data()[i] = 0.8f * value / (1 + value * value) + 0.001f * t.data()[i / row];
  }
  return y;
}
Tensor<float> curved_twice(const Tensor<float>& x, const Tensor<float>& t) {
  auto const y = curved(x, t);
  Index const c = x.dim(-1);
  Tensor<float> both(x.shape().with(-1, 2 * c));
  for (Index i = 0; i < x.size(); ++i) {
    both.data()[i / c * 2 * c + i % c] = y.data()[i];
    both.data()[i / c * 2 * c + c + i % c] = -y.data()[i];
  }
  return both;
}

using Run = std::function<Tensor<float>(const Tensor<float>&, std::uint64_t first_sample)>;

// Every kind of sampler and step, each run from the same seed.
std::vector<std::pair<std::string, Run>> all_runs() {
  static const Schedule schedule = linear_schedule({.num_train_timesteps = 100, .beta_end = 0.1});
  return {
      {"ddpm",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_ddpm(curved, x, schedule, rng, {.first_sample = first});
       }},
      {"ddpm clipped",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_ddpm(
             curved, x, schedule, rng,
             {.steps = 9, .variance = Variance::fixed_large, .clip_sample = true, .first_sample = first});
       }},
      {"ddpm learned",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_ddpm(curved_twice, x, schedule, rng,
                            {.steps = 9, .variance = Variance::learned_range, .first_sample = first});
       }},
      {"ddim", [](auto const& x, auto) { return sample_ddim(curved, x, schedule, {.steps = 9}); }},
      {"ddim thresholded",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_ddim(curved, x, schedule, rng,
                            {.steps = 9,
                             .eta = 0.5,
                             .thresholding = true,
                             .dynamic_thresholding_ratio = 0.8,
                             .sample_max_value = 2,
                             .first_sample = first});
       }},
      {"dpm solver",
       [](auto const& x, auto) { return sample_dpm_solver(curved, x, schedule, {.steps = 9, .order = 3}); }},
      {"dpm solver thresholded",
       [](auto const& x, auto) {
         return sample_dpm_solver(curved, x, schedule, {.steps = 20, .karras = true, .order = 3, .thresholding = true});
       }},
      {"dpm solver with noise",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_dpm_solver(
             curved, x, schedule, rng,
             {.steps = 9, .algorithm = DpmAlgorithm::sde_dpm_solver_pp, .clip_sample = true, .first_sample = first});
       }},
      {"dpm solver of the noise",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_dpm_solver(curved, x, schedule, rng,
                                  {.steps = 9,
                                   .algorithm = DpmAlgorithm::sde_dpm_solver,
                                   .end_at_smallest = true,
                                   .thresholding = true,
                                   .first_sample = first});
       }},
      {"euler",
       [](auto const& x, auto) { return sample_euler(curved, x, schedule, {.steps = 9, .exponential = true}); }},
      {"euler ancestral",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_euler(curved, x, schedule, rng,
                             {.steps = 9, .eta = 1, .clip_sample = true, .first_sample = first});
       }},
      {"heun with churn",
       [](auto const& x, auto first) {
         Rng rng(5);
         return sample_heun(curved, x, schedule, rng,
                            {.steps = 9, .karras = true, .s_churn = 3, .thresholding = true, .first_sample = first});
       }},
  };
}

}  // namespace

TEST_CASE("sample i is the same at batch 1, 7 and 64, and with any number of threads") {
  for (Shape const& shape : {Shape{64, 2}, Shape{64, 5, 3, 3}, Shape{64, 1, 1, 1}}) {
    Rng rng(9);
    auto const x = rng.normal(shape);
    for (auto const& [name, run] : all_runs()) {
      INFO(name << ", " << to_text(shape));
      auto const whole = run(x, 0);
      CHECK(same_bits(run(x.slice(0, 7), 0), whole.slice(0, 7)));
      for (Index const i : {0, 6, 63})
        CHECK(same_bits(run(x.slice(i, i + 1), static_cast<std::uint64_t>(i)), whole.slice(i, i + 1)));
      CHECK(same_bits(run(x.slice(20, 64), 20), whole.slice(20, 64)));
      check_threads([&, &run = run] { return run(x, 0); });
    }
  }
  // Large enough for several threads to take part.
  Rng rng(9);
  auto const x = rng.normal({64, 28, 28, 1});
  for (auto const& [name, run] : all_runs()) {
    INFO(name);
    check_threads([&, &run = run] { return run(x, 0); });
  }
}

TEST_CASE("every instruction set samples alike") {
  Rng rng(9);
  auto const x = rng.normal({7, 5, 3, 3});
  for (auto const& [name, run] : all_runs()) {
    INFO(name);
    auto const expected = run(x, 0);
    // Hundred steps at most, of a rounding each, for values of order one.
    for_each_isa([&, &run = run](Isa) { CHECK(max_abs_difference(run(x, 0), expected) <= 1e-4); });
  }
}

TEST_CASE("the start is not written to, and another seed gives another sample") {
  Rng rng(9);
  auto const x = rng.normal({4, 2});
  auto const before = x.clone();
  auto const schedule = linear_schedule({.num_train_timesteps = 20});
  Rng one(1), other(2);
  auto const a = sample_ddpm(curved, x, schedule, one), b = sample_ddpm(curved, x, schedule, other);
  CHECK(same_bits(x, before));
  CHECK(max_abs_difference(a, b) > 0.01);
  CHECK(one.draws() == 19);  // one a step, none for the last
  auto const again = sample_ddpm(curved, x, schedule, one);
  CHECK(max_abs_difference(a, again) > 0.01);
}

TEST_CASE("a callback sees every step, may keep what it sees, and may end the run") {
  auto const schedule = linear_schedule({.num_train_timesteps = 20});
  Rng rng(9);
  auto const x = rng.normal({4, 2});
  std::vector<SamplerStep> kept;
  DdimOptions const options{.steps = 5, .callback = [&](const SamplerStep& step) {
                              kept.push_back(step);
                              return true;
                            }};
  auto const end = sample_ddim(curved, x, schedule, options);
  REQUIRE(kept.size() == 5);
  auto const list = schedule.timesteps(5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(kept[i].index == static_cast<int>(i));
    CHECK(kept[i].steps == 5);
    CHECK(kept[i].timestep == list[i]);
    // x0 + the direction gives x again: the last step ends at x0 itself.
    auto const& before = i == 0 ? x : kept[i - 1].x;
    Tensor<float> const t({4}, static_cast<float>(list[i]));
    auto const x0 =
        predicted_x0(schedule, Prediction::epsilon, before, Tensor<std::int32_t>({4}, list[i]), curved(before, t));
    CHECK(max_abs_difference(kept[i].x0, x0) <= 1e-5);
  }
  CHECK(same_bits(kept[4].x, end));
  CHECK(max_abs_difference(kept[4].x, kept[4].x0) <= 1e-6);

  Rng draws(1);
  for (int const last : {0, 2}) {
    int calls = 0;
    auto const stop = [&](const SamplerStep& step) {
      ++calls;
      return step.index < last;
    };
    auto const part = sample_ddim(curved, x, schedule, {.steps = 5, .callback = stop});
    CHECK(calls == last + 1);
    CHECK(same_bits(part, kept[static_cast<std::size_t>(last)].x));
    calls = 0;
    sample_ddpm(curved, x, schedule, draws, {.callback = stop});
    CHECK(calls == last + 1);
    calls = 0;
    sample_dpm_solver(curved, x, schedule, {.callback = stop});
    CHECK(calls == last + 1);
    calls = 0;
    sample_euler(curved, x, schedule, {.callback = stop});
    CHECK(calls == last + 1);
    calls = 0;
    sample_heun(curved, x, schedule, {.callback = stop});
    CHECK(calls == last + 1);
  }
}

TEST_CASE("clipping and thresholding bound the predicted x0") {
  auto const schedule = linear_schedule({.num_train_timesteps = 50, .beta_end = 0.2});
  Rng rng(9);
  auto const x = rng.normal({3, 6, 6, 1});
  auto const far = [](const Tensor<float>& at, const Tensor<float>&) { return ops::affine(at, -3.0); };
  double largest = 0;
  auto const watch = [&](const SamplerStep& step) {
    for (float const value : step.x0.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
    return true;
  };
  sample_ddpm(far, x, schedule, rng, {.clip_sample = true, .clip_range = 1.5, .callback = watch});
  CHECK(largest == 1.5);
  largest = 0;
  sample_ddim(far, x, schedule, {.thresholding = true, .sample_max_value = 100, .callback = watch});
  CHECK(largest == 1);

  for (auto const prediction : {Prediction::epsilon, Prediction::x0}) {
    largest = 0;
    sample_euler(far, x, schedule, {.steps = 9, .prediction = prediction, .clip_sample = true, .callback = watch});
    CHECK(largest == 1);
    largest = 0;
    sample_heun(far, x, schedule,
                {.steps = 9, .prediction = prediction, .clip_sample = true, .clip_range = 1.5, .callback = watch});
    CHECK(largest == 1.5);
  }
  // A step ends where its bounded x0 leads: the last one of Heun's at x0 itself.
  auto const end = sample_heun(far, x, schedule, {.steps = 9, .thresholding = true, .sample_max_value = 100});
  for (float const value : end.span()) CHECK(std::abs(value) <= 1);

  // 0, 1, ..., 10 in one sample: the 0.85 quantile is 8.5.
  Tensor<float> ramp({1, 11});
  for (Index i = 0; i < 11; ++i) ramp.data()[i] = static_cast<float>(i % 2 == 0 ? i : -i);
  detail::threshold_rows(ramp, 0.85, 100.0);
  for (Index i = 0; i < 11; ++i)
    CHECK(std::abs(ramp.data()[i]) == Approx(std::min(1.0, static_cast<double>(i) / 8.5)).epsilon(1e-6));
  Tensor<float> small({1, 3}, {0.1f, -0.5f, 0.2f});  // below 1 nothing changes
  detail::threshold_rows(small, 0.9, 100.0);
  CHECK(small.data()[1] == -0.5f);
}

TEST_CASE("bad input to samplers is refused") {
  auto const schedule = linear_schedule();
  Rng rng(1);
  auto const x = rng.normal({2, 3});
  auto const ddim = [&](const DdimOptions& o) { return [&, o] { sample_ddim(curved, x, schedule, o); }; };
  require_error(ddim({.steps = 1001}), "sample_ddim: given 1001 steps, wanted 1 to 1000");
  require_error(ddim({.steps = -1}), "given -1 steps");
  require_error(ddim({.steps = 2, .timesteps = {1, 0}}), "both steps and timesteps");
  require_error(ddim({.timesteps = {5, 5}}), "given timestep 5 at place 1");
  require_error(ddim({.timesteps = {1000, 5}}), "given timestep 1000 at place 0");
  require_error(ddim({.timesteps = {5, -1}}), "given timestep -1 at place 1");
  require_error(ddim({.clip_sample = true, .clip_range = 0}), "given clip_range 0");
  require_error(ddim({.thresholding = true, .dynamic_thresholding_ratio = 1.5}), "dynamic_thresholding_ratio 1.5");
  require_error(ddim({.thresholding = true, .sample_max_value = 0.5}), "sample_max_value 0.5");
  require_error(ddim({.eta = 0.5}), "without an Rng");
  require_error([&] { sample_ddim(curved, x, schedule, rng, {.eta = 1.5}); }, "given eta 1.5");
  require_error([&] { sample_ddim(curved, x, schedule, rng, {.eta = std::nan("")}); }, "given eta");
  require_error([&] { sample_ddpm(curved, Tensor<float>(), schedule, rng); }, "sample_ddpm: given x_T of shape ()");
  require_error([&] { sample_ddpm(curved, Tensor<float>({0, 3}), schedule, rng); }, "given x_T of shape (0, 3)");
  require_error([&] { sample_ddpm(curved, x, schedule, rng, {.variance = Variance::learned_range}); },
                "returned shape (2, 3), wanted (2, 6)");
  require_error([&] { sample_dpm_solver(curved, x, schedule, {.order = 4}); }, "given order 4");
  require_error([&] { sample_dpm_solver(curved, x, schedule, {.timesteps = {3, 1}, .karras = true}); }, "both karras");
  auto const solver = [&](DpmSolverOptions o) { return [&, o] { sample_dpm_solver(curved, x, schedule, rng, o); }; };
  require_error(solver({.order = 3, .algorithm = DpmAlgorithm::sde_dpm_solver_pp}), "order 3 of a stochastic");
  require_error(solver({.algorithm = DpmAlgorithm::dpm_solver}), "wanted end_at_smallest");
  require_error([&] { sample_dpm_solver(curved, x, schedule, {.algorithm = DpmAlgorithm::sde_dpm_solver_pp}); },
                "a stochastic algorithm without an Rng");
  auto const euler = [&](EulerOptions o) { return [&, o] { sample_euler(curved, x, schedule, rng, o); }; };
  require_error(euler({.steps = 1001}), "sample_euler: given 1001 steps, wanted 1 to 1000");
  require_error(euler({.karras = true, .exponential = true}), "given both karras and exponential");
  require_error(euler({.timesteps = {3, 1}, .exponential = true}), "given both exponential and timesteps");
  require_error(euler({.eta = 2}), "given eta 2");
  require_error(euler({.eta = 0.5, .s_churn = 1}), "given eta 0.5 and s_churn 1");
  require_error(euler({.s_churn = -1}), "given s_churn -1");
  require_error([&] { sample_euler(curved, x, schedule, {.eta = 1}); }, "eta 1 without an Rng");
  require_error([&] { sample_heun(curved, x, schedule, {.s_churn = 1}); }, "sample_heun: given s_churn 1");
  require_error([&] { sample_heun(curved, Tensor<float>(), schedule); }, "sample_heun: given x_T of shape ()");
  auto const wrong = [](const Tensor<float>& at, const Tensor<float>&) { return at.reshape({at.size()}); };
  require_error([&] { sample_ddim(wrong, x, schedule); }, "the denoiser returned shape (6), wanted (2, 3)");
  auto const noise = [](int, const Shape&) { return Tensor<float>({1}, 0.0f); };
  require_error([&] { sample_ddpm(curved, x, schedule, noise); }, "given noise of shape (1), wanted (2, 3)");
}
