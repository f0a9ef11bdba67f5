#include <stipple/diffusion/schedule.hpp>

#include "formulas.hpp"

using namespace stipple;

namespace {

// Each entry on its own within 1e-9 relative.
void check_entries(const std::string& key, const std::vector<double>& given) {
  auto const expected = formulas::truth(key);
  REQUIRE(static_cast<Index>(given.size()) == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < given.size(); ++i)
    worst = std::max(worst, std::abs(given[i] - expected.data()[i]) / std::max(1e-300, std::abs(expected.data()[i])));
  INFO(key);
  CHECK(worst <= 1e-9);
}

std::vector<double> roots(std::vector<double> values) {
  for (double& value : values) value = std::sqrt(value);
  return values;
}

double largest_difference(const std::vector<double>& given, const Tensor<float>& expected) {
  return max_abs_difference<double, float>(given, expected.span());
}

}  // namespace

TEST_CASE("schedules agree with the courses' formulas") {
  for (std::string const mode : {"linear", "quad"}) {
    auto const s = mode == "linear" ? linear_schedule() : quadratic_schedule();
    std::string const key = "kaist." + mode + ".";
    check_entries(key + "betas", s.betas);
    check_entries(key + "alphas", s.alphas);
    check_entries(key + "alphas_cumprod", s.alphas_cumprod);
    check_entries(key + "sigmas_small", roots(s.posterior_variance));
    check_entries(key + "sigmas_large", roots(s.betas));
  }
  for (std::string const name : {"linear", "cosine", "quadratic", "sigmoid"}) {
    auto const s = schedule_by_name(name, 200);
    std::string const key = "ai504." + name + ".";
    check_entries(key + "betas", s.betas);
    check_entries(key + "alphas_cumprod", s.alphas_cumprod);
    check_entries(key + "alphas_cumprod_prev", s.alphas_cumprod_prev);
    check_entries(key + "sqrt_recip_alphas", s.sqrt_recip_alphas);
    check_entries(key + "sqrt_alphas_cumprod", s.sqrt_alphas_cumprod);
    check_entries(key + "sqrt_one_minus_alphas_cumprod", s.sqrt_one_minus_alphas_cumprod);
    check_entries(key + "posterior_variance", s.posterior_variance);
  }
  auto const berkeley = linear_schedule({.num_train_timesteps = 300});
  check_entries("berkeley.betas", berkeley.betas);
  check_entries("berkeley.alphas", berkeley.alphas);
  check_entries("berkeley.alpha_bars", berkeley.alphas_cumprod);
  check_entries("radboud.alpha_bar", linear_schedule().alphas_cumprod);
}

TEST_CASE("schedules agree with diffusers' float32 tables") {
  auto const table = [](const std::string& name, const char* key) {
    return SafetensorsFile(STIPPLE_TEST_REFERENCE_DIR "/schedulers/" + name + ".safetensors").read<float>(key);
  };
  // Ten times the errors of float32 cumulative products that the course tables record.
  double const tolerance = formulas::float_tolerance("kaist.linear.alphas_cumprod");
  auto const linear = linear_schedule();
  CHECK(largest_difference(linear.betas, table("ddpm_default", "betas")) <= 1e-8);
  CHECK(largest_difference(linear.alphas_cumprod, table("ddpm_default", "alphas_cumprod")) <= tolerance);
  auto const capped = cosine_schedule({.min_beta = 0, .max_beta = 0.999});
  CHECK(largest_difference(capped.betas, table("ddpm_cos_fixed_large_v", "betas")) <= 1e-7);
  CHECK(largest_difference(capped.alphas_cumprod, table("ddpm_cos_fixed_large_v", "alphas_cumprod")) <= tolerance);
  auto const zero = rescale_zero_terminal_snr(scaled_linear_schedule({.beta_start = 0.00085, .beta_end = 0.012}));
  CHECK(zero.alphas_cumprod.back() == 0);
  CHECK(zero.alphas_cumprod.front() == Approx(1 - 0.00085).epsilon(1e-12));
  // 1 - abar_t / abar_{t-1} loses its digits in float32 towards the end.
  CHECK(largest_difference(zero.betas, table("ddpm_zero_snr_threshold", "betas")) <= 1e-4);
  CHECK(largest_difference(zero.alphas_cumprod, table("ddpm_zero_snr_threshold", "alphas_cumprod")) <= tolerance);
  auto const nearly =
      rescale_zero_terminal_snr(scaled_linear_schedule({.beta_start = 0.00085, .beta_end = 0.012}), 0x1p-24);
  CHECK(nearly.alphas_cumprod.back() == Approx(0x1p-24).epsilon(1e-6));
  CHECK(nearly.alphas_cumprod[998] == zero.alphas_cumprod[998]);
}

TEST_CASE("derived entries obey their equations") {
  auto const s = cosine_schedule({.num_train_timesteps = 50});
  for (std::size_t t = 0; t < 50; ++t) {
    // The posterior's mean is exact for noiseless data: x_t = sqrt(abar_t) x_0 goes to sqrt(abar_{t-1}) x_0.
    CHECK(s.posterior_mean_coef1[t] + s.posterior_mean_coef2[t] * s.sqrt_alphas_cumprod[t] ==
          Approx(std::sqrt(s.alphas_cumprod_prev[t])).epsilon(1e-12));
    if (t > 0) CHECK(std::exp(s.posterior_log_variance_clipped[t]) == Approx(s.posterior_variance[t]).epsilon(1e-12));
  }
  CHECK(s.posterior_variance[0] == 0);
  CHECK(s.posterior_log_variance_clipped[0] == s.posterior_log_variance_clipped[1]);
  CHECK(s.alpha_bar(-1) == 1);
  CHECK(s.alpha_bar(49) == s.alphas_cumprod[49]);
  CHECK(std::isfinite(linear_schedule({.num_train_timesteps = 1}).posterior_log_variance_clipped[0]));
}

TEST_CASE("timesteps follow diffusers and the courses") {
  auto const s = linear_schedule();
  std::vector<int> ddim;
  auto const listed = formulas::input<std::int64_t>("ddim.timesteps");
  for (auto const t : listed.span()) ddim.push_back(static_cast<int>(t));
  CHECK(s.timesteps(50) == ddim);
  CHECK(s.timesteps(8, Spacing::leading, 1) == std::vector<int>{876, 751, 626, 501, 376, 251, 126, 1});
  CHECK(s.timesteps(8, Spacing::trailing) == std::vector<int>{999, 874, 749, 624, 499, 374, 249, 124});
  CHECK(s.timesteps(5, Spacing::linspace) == std::vector<int>{999, 749, 500, 250, 0});
  CHECK(s.solver_timesteps(5, Spacing::linspace) == std::vector<int>{999, 799, 599, 400, 200});
  CHECK(s.timesteps(5, Spacing::quadratic) == std::vector<int>{999, 562, 250, 62, 0});
  CHECK(s.timesteps(6, Spacing::leading) == std::vector<int>{830, 664, 498, 332, 166, 0});
  CHECK(s.timesteps(7, Spacing::trailing) == std::vector<int>{999, 856, 713, 570, 428, 285, 142});
  // 1000 - 3 * 1000 / 48 = 937.5, which numpy's steps miss from below.
  auto const halves = s.timesteps(48, Spacing::trailing);
  CHECK(std::vector<int>(halves.begin(), halves.begin() + 4) == std::vector<int>{999, 978, 957, 936});
}

TEST_CASE("every number of steps gives that many falling timesteps") {
  for (int const total : {1, 2, 12, 97, 300}) {
    auto const s = linear_schedule({.num_train_timesteps = total});
    for (int steps = 1; steps <= total; ++steps)
      for (auto const spacing : {Spacing::leading, Spacing::trailing, Spacing::linspace, Spacing::quadratic})
        for (bool const solver : {false, true}) {
          auto const list = solver ? s.solver_timesteps(steps, spacing) : s.timesteps(steps, spacing);
          bool falls = static_cast<int>(list.size()) == steps && list.front() < total && list.back() >= 0;
          for (std::size_t i = 1; i < list.size(); ++i) falls = falls && list[i] < list[i - 1];
          INFO("T " << total << ", steps " << steps << ", spacing " << static_cast<int>(spacing));
          if (!falls) FAIL_CHECK("not a falling list of timesteps");
        }
  }
}

TEST_CASE("bad schedules are refused") {
  require_error([] { from_betas({}); }, "at least one");
  require_error([] { from_betas({0.1, 0.0}); }, "given beta 0 at 1");
  require_error([] { from_betas({1.0, 0.1}); }, "given beta 1 at 0");
  require_error([] { from_betas({std::nan("")}); }, "wanted a number between 0 and 1");
  require_error([] { linear_schedule({.num_train_timesteps = 0}); }, "given 0 timesteps");
  require_error([] { linear_schedule({.beta_end = 1.5}); }, "given beta");
  require_error([] { quadratic_schedule({.beta_start = -1}); }, "given beta");
  require_error([] { cosine_schedule({.min_beta = 0.9, .max_beta = 0.1}); }, "rising");
  require_error([] { schedule_by_name("cubic", 10); }, "given 'cubic'");
  CHECK(schedule_by_name("quadratic", {12, 1e-3, 0.5}).betas == quadratic_schedule({12, 1e-3, 0.5}).betas);
  require_error([] { schedule_by_name("linear", {10, 0, 0.02}); }, "given beta 0 at 0");
  require_error([] { rescale_zero_terminal_snr(linear_schedule({.num_train_timesteps = 1})); }, "at least two");
  require_error([] { rescale_zero_terminal_snr(linear_schedule(), 0.5); }, "given abar 0.5 for the last timestep");
  auto const s = linear_schedule();
  require_error([&] { s.timesteps(0); }, "given 0 steps, wanted 1 to 1000");
  require_error([&] { s.timesteps(1001); }, "given 1001 steps");
  require_error([&] { s.timesteps(1000, Spacing::leading, 1); }, "leads to timestep 1000");
  require_error([&] { s.timesteps(10, Spacing::leading, -1); }, "given offset -1");
  require_error([&] { (void)s.alpha_bar(1000); }, "given timestep 1000");
}
