// Samplers against diffusers' schedulers: tests/reference/schedulers.
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "recorded.hpp"

using namespace stipple;
using namespace recorded;

namespace {

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

// Follows `sample(denoiser, x_T, noise, schedule, options)`.
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
  auto const error = [&](const Schedule& schedule) {
    return worst_error(r, options, [&](auto const& f, auto const& x, auto const& noise, auto const& o) {
      return sample(f, x, noise, schedule, o);
    });
  };
  CHECK(error(rounded) <= few_roundings);
  CHECK(error(exact) <= few_roundings + 10 * table_error * amplification(r, exact));
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
    options.end_at_smallest = !r.flag("set_alpha_to_one");
    auto const& given = r.entry.at("step_kwargs");
    options.eta = given.value("eta", options.eta);
    options.epsilon_of_x0 = given.value("use_clipped_model_output", options.epsilon_of_x0);
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

TEST_CASE("Euler with the posterior's noise follows diffusers' EulerAncestralDiscreteScheduler") {
  for_each_scheduler("EulerAncestralDiscreteScheduler", [](const Recorded& r) {
    auto options = common_options<EulerOptions>(r);
    options.eta = 1;
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
