// EDM: noise levels without a schedule, and a network preconditioned for them (Karras et al. 2022, "Elucidating the
// Design Space of Diffusion-Based Generative Models").
#pragma once

#include <cstdint>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/diffusion/samplers/levels.hpp>

namespace stipple {

/// The noise levels x = x0 + sigma noise of sampling, in place of a `Schedule`: from sigma_max to sigma_min with equal
/// steps of their rho-th root (eq. 5), or, with `exponential` among a sampler's options, of their logarithm.
///
///     sample_heun(preconditioned(net), x_T, EdmSchedule{}, {.steps = 18});
///
/// x_T are standard normals; sampling starts from sigma_max x_T, and callbacks get x. The denoiser is told sigma, and
/// predicts the noise, as `preconditioned` does, or, with `prediction`, x0 or noise - x0.
struct EdmSchedule {
  double sigma_min = 0.002, sigma_max = 80, rho = 7;
};

/// Throws for bad levels, no steps, timesteps, another spacing and Prediction::v.
STIPPLE_INLINE NoiseLevels noise_levels(const EdmSchedule& schedule, const LevelChoice& choice);

/// The factors of table 1, column "Ours", in D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) (eq. 7).
struct EdmPreconditioning {
  double sigma_data = 0.5;  ///< standard deviation of the data
  bool negated = false;     ///< F has the other sign: v_prediction of diffusers' EDM schedulers

  double c_in(double sigma) const { return 1 / std::hypot(sigma, sigma_data); }
  double c_noise(double sigma) const { return std::log(sigma) / 4; }
  double c_skip(double sigma) const { return sigma_data * sigma_data * c_in(sigma) * c_in(sigma); }
  double c_out(double sigma) const { return (negated ? -sigma : sigma) * sigma_data * c_in(sigma); }
};

namespace detail {

// What F is shown at x (N, ...) with noise sigma (N): c_in x and c_noise.
template <Real S, Device D>
std::pair<Tensor<S, D>, Tensor<S, D>> edm_input(const EdmPreconditioning& with, const Tensor<S, D>& x,
                                                const Tensor<S>& sigma);

// (x - D(x; sigma)) / sigma.
template <Real S, Device D>
Tensor<S, D> edm_noise(const EdmPreconditioning& with, const Tensor<S, D>& x, const Tensor<S>& sigma,
                       const Tensor<S, D>& output);

}  // namespace detail

/// A denoiser that predicts the noise in x, (x - D(x; sigma)) / sigma, with the help of F; made by `preconditioned`.
template <class F>
struct EdmDenoiser {
  F f;
  EdmPreconditioning with;

  /// x (N, ...) and sigma (N). On a GPU this waits for sigma.
  template <Real S, Device D>
  Tensor<S, D> operator()(const Tensor<S, D>& x, const Tensor<S, D>& sigma) const {
    Tensor<S> const levels = to<Cpu>(sigma);
    auto const [input, noise] = detail::edm_input(with, x, levels);
    Tensor<S, D> const output = detail::as_denoiser<S, D>(f)(input, noise);
    require(output.shape() == x.shape(), "preconditioned: the network returned shape ", output.shape(), ", wanted ",
            x.shape());
    return detail::edm_noise(with, x, levels, output);
  }
};

/// A network F, or a denoiser made of one (`with_labels`, `guided`, `recorded`), as a denoiser over EdmSchedule. A
/// named one must outlive the result.
template <class F>
EdmDenoiser<F> preconditioned(F&& f, const EdmPreconditioning& with = {}) {
  require(with.sigma_data > 0, "preconditioned: given sigma_data ", with.sigma_data, ", wanted more than 0");
  return {std::forward<F>(f), with};
}

/// The training objective (eq. 8, table 1): sigma is log-normal, and the squared error of D has the weight that makes
/// it that of F.
struct Edm {
  EdmPreconditioning preconditioning{};
  double log_mean = -1.2, log_deviation = 1.2;  ///< of ln sigma: P_mean and P_std

  /// Draws one sigma and one noise a sample of `x0` (N, ...), keyed by first_sample + i: c_in x, c_noise and the target
  /// of F.
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, Rng& rng, std::uint64_t first_sample = 0) const {
    return noised<T>(x0, to<D>(draw_timesteps(samples_of(x0.shape()), rng, first_sample)), rng, first_sample);
  }
  /// The two halves of this, as those of Ddpm.
  STIPPLE_INLINE Tensor<float> draw_timesteps(Index n, Rng& rng, std::uint64_t first_sample = 0) const;
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, const Tensor<float, D>& timesteps, Rng& rng,
                           std::uint64_t first_sample = 0) const {
    return detail::noised_by_rows<T>("Edm", x0, timesteps, rng, first_sample, Prediction::flow);
  }
  /// Throws Error for data without samples along the first axis.
  static Index samples_of(const Shape& data) { return detail::count_samples("Edm", data); }

  /// The loss of `net` on a batch. `conditions`, such as class labels (N), are passed to it after x and c_noise.
  template <Real T, Device D, class Net, class... Conditions>
  auto loss(const Net& net, const NoisedBatch<T, D>& batch, const Conditions&... conditions) const {
    return detail::network_loss("Edm", Loss::l2, net, batch, conditions...);
  }

  /// The same for data `x0`, with noise from `rng`: one number, ready for backward().
  template <class Net, Device D, class... Conditions>
  auto loss(const Net& net, const Tensor<float, D>& x0, Rng& rng, const Conditions&... conditions) const {
    using T = network_element_t<Net, D, Conditions...>;
    return loss(net, noised<T>(x0, rng), conditions...);
  }
};

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE NoiseLevels noise_levels(const EdmSchedule& schedule, const LevelChoice& choice) {
  detail::require_steps_alone(choice, "EDM's noise levels");
  require(schedule.sigma_min > 0 && schedule.sigma_max > schedule.sigma_min && schedule.rho > 0, choice.name,
          ": given sigma from ", schedule.sigma_min, " to ", schedule.sigma_max, " and rho ", schedule.rho,
          ", wanted a rising range and a rho above 0");
  auto const level = [prediction = choice.prediction](double sigma) {
    return NoiseLevel{sigma, 1, sigma, x0_form(prediction, 1, sigma)};
  };
  NoiseLevels result{.at = {}, .start = schedule.sigma_max, .of_ratio = level};
  for (double const sigma :
       choice.exponential ? detail::exponential_sigmas(schedule.sigma_max, schedule.sigma_min, choice.steps)
                          : detail::karras_sigmas(schedule.sigma_max, schedule.sigma_min, choice.steps, schedule.rho))
    result.at.push_back(level(sigma));
  result.at.push_back(choice.end_at_smallest ? level(schedule.sigma_min) : NoiseLevel{});
  return result;
}
#endif

}  // namespace stipple

namespace stipple::detail {

template <Real S, Device D>
std::pair<Tensor<S, D>, Tensor<S, D>> edm_input(const EdmPreconditioning& with, const Tensor<S, D>& x,
                                                const Tensor<S>& sigma) {
  require(x.defined() && x.rank() >= 1 && sigma.rank() == 1 && sigma.dim(0) == x.dim(0), "preconditioned: given sigma ",
          sigma.shape(), " for x of shape ", x.shape(), ", wanted one a sample");
  Index const n = sigma.size();
  Tensor<S> factors({2, n}, S(0)), noise({n});
  for (Index i = 0; i < n; ++i) {
    auto const level = static_cast<double>(sigma.data()[i]);
    require(level > 0, "preconditioned: given sigma ", level, ", wanted more than 0");
    factors.data()[i] = static_cast<S>(with.c_in(level));
    noise.data()[i] = static_cast<S>(with.c_noise(level));
  }
  Tensor<S, D> const there = to<D>(factors);
  return {mix_weighted<S>(x, x, there.data()), to<D>(noise)};
}

template <Real S, Device D>
Tensor<S, D> edm_noise(const EdmPreconditioning& with, const Tensor<S, D>& x, const Tensor<S>& sigma,
                       const Tensor<S, D>& output) {
  Index const n = sigma.size();
  Tensor<S> factors({2, n});
  for (Index i = 0; i < n; ++i) {
    auto const level = static_cast<double>(sigma.data()[i]);
    factors.data()[i] = static_cast<S>(level * with.c_in(level) * with.c_in(level));  // (1 - c_skip) / sigma
    factors.data()[n + i] = static_cast<S>(-with.c_out(level) / level);
  }
  Tensor<S, D> const there = to<D>(factors);
  return mix_weighted<S>(x, output, there.data());
}

#define STIPPLE_INSTANCES(S, D)                                                                                  \
  template std::pair<Tensor<S, D>, Tensor<S, D>> edm_input<S, D>(const EdmPreconditioning&, const Tensor<S, D>&, \
                                                                 const Tensor<S>&);                              \
  template Tensor<S, D> edm_noise<S, D>(const EdmPreconditioning&, const Tensor<S, D>&, const Tensor<S>&,        \
                                        const Tensor<S, D>&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Tensor<float> Edm::draw_timesteps(Index n, Rng& rng, std::uint64_t first_sample) const {
  auto const& with = preconditioning;
  require(with.sigma_data > 0 && log_deviation >= 0, "Edm: given sigma_data ", with.sigma_data, " and log_deviation ",
          log_deviation, ", wanted more than 0, and 0 or more");
  auto const z = rng.normal({n}, Purpose::timestep, first_sample);
  Tensor<float> rows({5, n});
  for (Index i = 0; i < n; ++i) {
    double const sigma = std::exp(log_mean + log_deviation * static_cast<double>(z.data()[i]));
    double const c_in = with.c_in(sigma), sign = with.negated ? -1 : 1;
    // The target is F = (x0 - c_skip (x0 + sigma noise)) / c_out.
    std::array const row{with.c_noise(sigma), c_in, c_in * sigma, sign * sigma / with.sigma_data * c_in,
                         -sign * with.sigma_data * c_in};
    for (std::size_t k = 0; k < 5; ++k) rows.data()[static_cast<Index>(k) * n + i] = static_cast<float>(row[k]);
  }
  return rows;
}
#endif

}  // namespace stipple

#endif
