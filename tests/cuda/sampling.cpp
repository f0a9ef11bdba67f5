// Samplers and guidance on the GPU against those of the CPU, with the same random bits.
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/diffusion/edm.hpp>
#include <stipple/diffusion/flow.hpp>
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>
#include <stipple/models/time_linear_net.hpp>
#include <stipple/ops/concat.hpp>
#include <stipple/ops/embedding.hpp>

#include "compare.hpp"

using namespace stipple;

namespace {

Schedule const& schedule() {
  static Schedule const one = linear_schedule({.num_train_timesteps = 100});
  return one;
}

/// Runs `sample(device, net, x_T, rng)` with a small network on both devices.
template <class Sample>
void require_same_samples(const Sample& sample, double within = 1e-4) {
  auto const run = [&]<class D>(D device) {
    Rng rng(5);
    TimeLinearNet<float, D> const net({2, 16, 2}, rng);
    return to<Cpu>(sample(device, net, draw_normal<D>(rng, {4, 2}, Purpose::sample), rng));
  };
  REQUIRE(max_abs_difference(run(Cuda{}), run(Cpu{})) <= within);
}

/// A conditional denoiser without parameters: x / 2 for label 0, -x / 2 for others.
struct Signed {
  template <Real S, Device D>
  Tensor<S, D> operator()(const Tensor<S, D>& x, const Tensor<S, D>&, const Tensor<std::int32_t, D>& labels) const {
    auto const sign = ops::affine(ops::slice_last(ops::one_hot<S>(labels, 4), 0, 1), 1, -0.5);  // (N, 1)
    return ops::multiply(x, sign);
  }
};

}  // namespace

TEST_CASE("DDPM on the GPU is that of the CPU", "[samplers]") {
  for (auto const variance : {Variance::fixed_small, Variance::fixed_large}) {
    require_same_samples([=](auto, auto const& net, auto const& x_T, Rng& rng) {
      return sample_ddpm(net, x_T, schedule(), rng, {.steps = 5, .variance = variance, .clip_sample = true});
    });
  }
}

TEST_CASE("DDPM on the GPU with a learned variance is that of the CPU", "[samplers]") {
  require_same_samples([]<class D>(D, auto const&, auto const& x_T, Rng& rng) {
    auto const both = [](const Tensor<float, D>& x, const Tensor<float, D>&) {
      return ops::concat<float, D>({ops::affine(x, 0.5), ops::affine(x, 0.1)});
    };
    return sample_ddpm(both, x_T, schedule(), rng, {.steps = 3, .variance = Variance::learned_range});
  });
}

TEST_CASE("DDIM on the GPU is that of the CPU", "[samplers]") {
  for (double const eta : {0.0, 0.7}) {
    require_same_samples([=](auto, auto const& net, auto const& x_T, Rng& rng) {
      return sample_ddim(net, x_T, schedule(), rng, {.steps = 5, .eta = eta});
    });
  }
  require_same_samples([](auto, auto const& net, auto const& x_T, Rng& rng) {
    return sample_ddim(net, x_T, schedule(), rng,
                       {.steps = 3, .thresholding = true, .dynamic_thresholding_ratio = 0.8, .sample_max_value = 1.5});
  });
}

TEST_CASE("DPM-Solver on the GPU is that of the CPU", "[samplers]") {
  require_same_samples([](auto, auto const& net, auto const& x_T, Rng&) {
    return sample_dpm_solver(net, x_T, schedule(), {.steps = 5, .order = 3});
  });
  for (auto const algorithm : {DpmAlgorithm::sde_dpm_solver_pp, DpmAlgorithm::sde_dpm_solver}) {
    require_same_samples([=](auto, auto const& net, auto const& x_T, Rng& rng) {
      return sample_dpm_solver(net, x_T, schedule(), rng,
                               {.steps = 5, .algorithm = algorithm, .end_at_smallest = true});
    });
  }
}

TEST_CASE("Euler and Heun on the GPU are those of the CPU", "[samplers]") {
  require_same_samples([](auto, auto const& net, auto const& x_T, Rng& rng) {
    return sample_euler(net, x_T, schedule(), rng, {.steps = 5, .eta = 1, .clip_sample = true});
  });
  require_same_samples([](auto, auto const& net, auto const& x_T, Rng& rng) {
    return sample_heun(net, x_T, schedule(), rng, {.steps = 5, .karras = true, .s_churn = 2});
  });
}

TEST_CASE("EDM and flows on the GPU are those of the CPU", "[samplers]") {
  require_same_samples([](auto, auto const& net, auto const& x_T, Rng& rng) {
    return sample_heun(preconditioned(net), x_T, EdmSchedule{}, rng, {.steps = 5, .s_churn = 2});
  });
  require_same_samples([](auto, auto const& net, auto const& x_T, Rng&) {
    return sample_euler(net, x_T, FlowSchedule{}, {.steps = 5, .prediction = Prediction::flow});
  });
}

TEST_CASE("Guidance on the GPU is that of the CPU", "[samplers]") {
  for (GuidanceOptions const& options :
       {GuidanceOptions{.scale = 2}, GuidanceOptions{.scale = 2, .first_timestep = 30, .last_timestep = 70},
        GuidanceOptions{.scale = 2, .rescale = 0.7}}) {
    require_same_samples([&]<class D>(D, auto const&, auto const& x_T, Rng& rng) {
      auto const labels = to<D>(Tensor<std::int32_t>({4}, {1, 2, 0, 3}));
      return sample_ddpm(guided(Signed{}, labels, options), x_T, schedule(), rng, {.steps = 4});
    });
  }
}

TEST_CASE("A sampler on the GPU hands its callback tensors on the host", "[samplers]") {
  Rng rng(5);
  TimeLinearNet<float, Cuda> const net({2, 16, 2}, rng);
  int steps = 0;
  Tensor<float> last;
  auto const callback = [&](const SamplerStep& step) {
    REQUIRE(std::isfinite(step.x0.span()[0]));
    last = step.x;
    return ++steps < 3;
  };
  auto const x =
      sample_ddim(net, draw_normal<Cuda>(rng, {4, 2}, Purpose::sample), schedule(), {.steps = 5, .callback = callback});
  REQUIRE(steps == 3);
  require_same(x, last);
}

TEST_CASE("Noising on the GPU is that of the CPU", "[samplers]") {
  auto const x0 = random_tensor<float>({5, 3, 2}, 1);
  auto const check = [&](const auto& objective) {
    Rng rng(3), same(3);
    auto const gpu = objective.template noised<bf16>(to<Cuda>(x0), rng, 2);
    auto const cpu = objective.template noised<bf16>(x0, same, 2);
    require_same(gpu.t, cpu.t);
    require_close(gpu.x_t, cpu.x_t);
    require_close(gpu.target, cpu.target);
    REQUIRE(rng.draws() == same.draws());
  };
  for (auto const prediction : {Prediction::epsilon, Prediction::x0, Prediction::v, Prediction::flow})
    check(Ddpm(schedule(), {.prediction = prediction}));
  check(Edm{});
  check(FlowMatching{});
}
