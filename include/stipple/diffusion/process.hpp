// The forward process, and what a network may predict about it.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/schedule.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// What the network's output stands for, given x_t = sqrt(abar) x_0 + sqrt(1 - abar) epsilon.
enum class Prediction {
  epsilon,  ///< the noise (Ho et al. 2020)
  x0,       ///< the data; "sample" in diffusers
  v,        ///< sqrt(abar) epsilon - sqrt(1 - abar) x_0 (Salimans and Ho 2022)
  flow,     ///< epsilon - x_0 (Lipman et al. 2023, Liu et al. 2023)
};

inline std::string to_text(Prediction prediction) {
  constexpr std::array names{"epsilon", "x0", "v", "flow"};
  return names[static_cast<std::size_t>(prediction)];
}

/// a x + b y, as two weights.
struct LinearForm {
  double a = 0, b = 0;
};

/// x_0 as a x_t + b prediction, where x_t = alpha x_0 + sigma epsilon; with v, alpha^2 + sigma^2 must be 1. Throws for
/// a predicted noise where alpha is 0.
STIPPLE_INLINE LinearForm x0_form(Prediction prediction, double alpha, double sigma);
/// epsilon as a x_t + b prediction. Throws for a predicted x_0 where sigma is 0.
STIPPLE_INLINE LinearForm epsilon_form(Prediction prediction, double alpha, double sigma);
/// What a network is trained to predict, as a x_0 + b epsilon.
STIPPLE_INLINE LinearForm target_form(Prediction prediction, double alpha, double sigma);

// Timesteps t (N) are on the host, where the schedule is; samples are on any device.

/// x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise (Ho et al. 2020, eq. 4), one timestep t (N) a sample, as elements
/// of type T. `x0` and `noise` are (N, ...).
template <Real T = float, Real S, Device D>
requires std::same_as<T, S> ||(std::same_as<T, bf16>&& std::same_as<S, float>)Tensor<T, D> q_sample(
    const Schedule& schedule, const Tensor<S, D>& x0, const Tensor<std::int32_t>& t, const Tensor<S, D>& noise);

/// What a network of this kind is to predict for q_sample(schedule, x0, t, noise).
template <Real S, Device D>
Tensor<S, D> prediction_target(const Schedule& schedule, Prediction prediction, const Tensor<S, D>& x0,
                               const Tensor<std::int32_t>& t, const Tensor<S, D>& noise);

/// v = sqrt(abar_t) noise - sqrt(1 - abar_t) x_0 (Salimans and Ho 2022, section 4).
template <Real S, Device D>
Tensor<S, D> velocity(const Schedule& schedule, const Tensor<S, D>& x0, const Tensor<std::int32_t>& t,
                      const Tensor<S, D>& noise);

/// The x_0 that a prediction at x_t implies.
template <Real S, Device D>
Tensor<S, D> predicted_x0(const Schedule& schedule, Prediction kind, const Tensor<S, D>& x_t,
                          const Tensor<std::int32_t>& t, const Tensor<S, D>& prediction);

/// The noise that a prediction at x_t implies.
template <Real S, Device D>
Tensor<S, D> predicted_epsilon(const Schedule& schedule, Prediction kind, const Tensor<S, D>& x_t,
                               const Tensor<std::int32_t>& t, const Tensor<S, D>& prediction);

namespace detail {

/// a x + b y, elementwise.
template <Real S, Device D>
Tensor<S, D> weighted_sum(double a, const Tensor<S, D>& x, double b, const Tensor<S, D>& y);

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

#include <stipple/backend/cpu/diffusion_update.hpp>

namespace stipple::detail {

template <Real S, Device D>
Tensor<S, D> weighted_sum(double a, const Tensor<S, D>& x, double b, const Tensor<S, D>& y) {
  Tensor<S, D> result(x.shape());
  UpdateWeights<S> const weights{.x = static_cast<S>(a), .prediction = static_cast<S>(b), .extra = {}};
  using cpu::diffusion_update;
  diffusion_update<S>(weights, x.data(), y.data(), UpdateExtras<S, D>{}, result.data(), nullptr, x.size());
  return result;
}

// x_t as a x_0 + b epsilon.
inline LinearForm noising_form(double alpha, double sigma) { return {alpha, sigma}; }

// weights[i] = a and weights[n + i] = b of `form(alpha, sigma)` for the timestep of sample i of n.
template <class S, class Form>
void weigh_samples(const char* name, const Schedule& schedule, const Tensor<std::int32_t>& t, const Form& form,
                   S* weights) {
  Index const n = t.size();
  for (Index i = 0; i < n; ++i) {
    std::int32_t const step = t.data()[i];
    require(step >= 0 && step < schedule.num_train_timesteps(), name, ": given timestep ", step,
            ", wanted one of 0 to ", schedule.num_train_timesteps() - 1);
    auto const at = static_cast<std::size_t>(step);
    LinearForm const ab = form(schedule.sqrt_alphas_cumprod[at], schedule.sqrt_one_minus_alphas_cumprod[at]);
    weights[i] = static_cast<S>(ab.a);
    weights[n + i] = static_cast<S>(ab.b);
  }
}

// out[i] = a x[i] + b y[i], where a = weights[i] and b = weights[n + i] for n samples.
template <Real T, Real S, Device D>
Tensor<T, D> mix_weighted(const Tensor<S, D>& x, const Tensor<S, D>& y, typename D::template pointer<const S> weights) {
  Index const n = x.dim(0);
  Tensor<T, D> out(x.shape());
  using cpu::mix_rows;
  mix_rows(weights, x.data(), weights + n, y.data(), out.data(), n, x.shape().count(1, x.rank()));
  return out;
}

// out[i] = a x[i] + b y[i], where `form(alpha, sigma)` gives a and b for the timestep of sample i.
template <Real T, Real S, Device D, class Form>
Tensor<T, D> mix_samples(const char* name, const Schedule& schedule, const Tensor<S, D>& x,
                         const Tensor<std::int32_t>& t, const Tensor<S, D>& y, const Form& form) {
  require(x.defined() && x.rank() >= 1 && x.shape() == y.shape(), name, ": given shapes ", x.shape(), " and ",
          y.shape(), ", wanted the same with samples along the first axis");
  require(t.rank() == 1 && t.dim(0) == x.dim(0), name, ": given timesteps of shape ", t.shape(), " for ", x.dim(0),
          " samples, wanted one each");
  Tensor<S> weights({2, t.size()});
  weigh_samples(name, schedule, t, form, weights.data());
  Tensor<S, D> const there = to<D>(weights);
  return mix_weighted<T>(x, y, there.data());
}

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE LinearForm x0_form(Prediction prediction, double alpha, double sigma) {
  if (prediction == Prediction::x0) return {0, 1};
  if (prediction == Prediction::v) return {alpha, -sigma};
  if (prediction == Prediction::flow) return {1 / (alpha + sigma), -sigma / (alpha + sigma)};
  require(alpha > 0, "prediction epsilon: nothing of the data is left at this timestep (abar = 0), wanted v or x0");
  return {1 / alpha, -sigma / alpha};
}

STIPPLE_INLINE LinearForm epsilon_form(Prediction prediction, double alpha, double sigma) {
  if (prediction == Prediction::epsilon) return {0, 1};
  if (prediction == Prediction::v) return {sigma, alpha};
  if (prediction == Prediction::flow) return {1 / (alpha + sigma), alpha / (alpha + sigma)};
  require(sigma > 0, "prediction x0: there is no noise at this timestep");
  return {1 / sigma, -alpha / sigma};
}

STIPPLE_INLINE LinearForm target_form(Prediction prediction, double alpha, double sigma) {
  if (prediction == Prediction::epsilon) return {0, 1};
  if (prediction == Prediction::x0) return {1, 0};
  if (prediction == Prediction::flow) return {-1, 1};
  return {-sigma, alpha};
}
#endif

template <Real S, Device D>
Tensor<S, D> prediction_target(const Schedule& schedule, Prediction prediction, const Tensor<S, D>& x0,
                               const Tensor<std::int32_t>& t, const Tensor<S, D>& noise) {
  if (prediction == Prediction::epsilon) return noise;
  if (prediction == Prediction::x0) return x0;
  return detail::mix_samples<S>("prediction_target", schedule, x0, t, noise,
                                [=](double alpha, double sigma) { return target_form(prediction, alpha, sigma); });
}

template <Real S, Device D>
Tensor<S, D> velocity(const Schedule& schedule, const Tensor<S, D>& x0, const Tensor<std::int32_t>& t,
                      const Tensor<S, D>& noise) {
  return prediction_target(schedule, Prediction::v, x0, t, noise);
}

template <Real S, Device D>
Tensor<S, D> predicted_x0(const Schedule& schedule, Prediction kind, const Tensor<S, D>& x_t,
                          const Tensor<std::int32_t>& t, const Tensor<S, D>& prediction) {
  return detail::mix_samples<S>("predicted_x0", schedule, x_t, t, prediction,
                                [=](double alpha, double sigma) { return x0_form(kind, alpha, sigma); });
}

template <Real S, Device D>
Tensor<S, D> predicted_epsilon(const Schedule& schedule, Prediction kind, const Tensor<S, D>& x_t,
                               const Tensor<std::int32_t>& t, const Tensor<S, D>& prediction) {
  return detail::mix_samples<S>("predicted_epsilon", schedule, x_t, t, prediction,
                                [=](double alpha, double sigma) { return epsilon_form(kind, alpha, sigma); });
}

template <Real T, Real S, Device D>
requires std::same_as<T, S> ||(std::same_as<T, bf16>&& std::same_as<S, float>)Tensor<T, D> q_sample(
    const Schedule& schedule, const Tensor<S, D>& x0, const Tensor<std::int32_t>& t, const Tensor<S, D>& noise) {
  return detail::mix_samples<T>("q_sample", schedule, x0, t, noise, detail::noising_form);
}

#define STIPPLE_INSTANCES(T, S, D)                                                                           \
  template Tensor<T, D> q_sample<T, S, D>(const Schedule&, const Tensor<S, D>&, const Tensor<std::int32_t>&, \
                                          const Tensor<S, D>&);
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(float, float, STIPPLE_DEVICE) STIPPLE_INSTANCES(bf16, float, STIPPLE_DEVICE))
STIPPLE_INSTANTIATE_CPU(STIPPLE_INSTANCES(double, double, Cpu))
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(S, D)                                                                           \
  template Tensor<S, D> prediction_target<S, D>(const Schedule&, Prediction, const Tensor<S, D>&,         \
                                                const Tensor<std::int32_t>&, const Tensor<S, D>&);        \
  template Tensor<S, D> velocity<S, D>(const Schedule&, const Tensor<S, D>&, const Tensor<std::int32_t>&, \
                                       const Tensor<S, D>&);                                              \
  template Tensor<S, D> predicted_x0<S, D>(const Schedule&, Prediction, const Tensor<S, D>&,              \
                                           const Tensor<std::int32_t>&, const Tensor<S, D>&);             \
  template Tensor<S, D> predicted_epsilon<S, D>(const Schedule&, Prediction, const Tensor<S, D>&,         \
                                                const Tensor<std::int32_t>&, const Tensor<S, D>&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

namespace stipple::detail {

#define STIPPLE_INSTANCES(S, D) \
  template Tensor<S, D> weighted_sum<S, D>(double, const Tensor<S, D>&, double, const Tensor<S, D>&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
