// Calls the sampler that was asked for.
#pragma once

#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>

#include "common/sampler_options.hpp"

namespace example {

/// From x_T (N, ...) to samples on D; `f` is a denoiser or a network. `noise`, an Rng or a source of normals
/// (step, shape) -> Tensor<float, D>, is for samples first_sample, first_sample + 1, ...
template <st::Device D, class F, class Noise>
st::Tensor<float, D> run_sampler(const Sampler& sampler, const F& f, const st::Tensor<float, D>& x_T,
                                 const st::Schedule& schedule, Noise&& noise, const st::SamplerCallback& callback,
                                 std::uint64_t first_sample = 0) {
  int const steps = sampler.steps;
  if (sampler.name == "ddim")
    return st::sample_ddim(f, x_T, schedule, noise,
                           {.steps = steps, .eta = sampler.eta, .first_sample = first_sample, .callback = callback});
  if (sampler.name == "dpm_solver")
    return st::sample_dpm_solver(f, x_T, schedule, {.steps = steps, .callback = callback});
  if (sampler.name == "dpm_solver_sde")
    return st::sample_dpm_solver(f, x_T, schedule, noise,
                                 {.steps = steps,
                                  .algorithm = st::DpmAlgorithm::sde_dpm_solver_pp,
                                  .first_sample = first_sample,
                                  .callback = callback});
  if (sampler.name == "euler") return st::sample_euler(f, x_T, schedule, {.steps = steps, .callback = callback});
  if (sampler.name == "heun") return st::sample_heun(f, x_T, schedule, {.steps = steps, .callback = callback});
  auto const variance = sampler.variance == "large" ? st::Variance::fixed_large : st::Variance::fixed_small;
  return st::sample_ddpm(f, x_T, schedule, noise,
                         {.steps = steps, .variance = variance, .first_sample = first_sample, .callback = callback});
}

}  // namespace example
