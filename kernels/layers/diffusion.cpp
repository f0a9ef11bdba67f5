// The definitions of the layer `diffusion`.
#define STIPPLE_UNIT STIPPLE_UNIT_diffusion
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/diffusion/edm.hpp>
#include <stipple/diffusion/flow.hpp>
#include <stipple/diffusion/gaussian_start.hpp>
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/noise.hpp>
#include <stipple/diffusion/process.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/levels.hpp>
#include <stipple/diffusion/samplers/ode_steps.hpp>
#include <stipple/diffusion/samplers/sampling.hpp>
#include <stipple/diffusion/schedule.hpp>
