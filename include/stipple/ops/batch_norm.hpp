// Batch normalisation over all axes but the last (Ioffe and Szegedy 2015), with an optional activation behind it.
#pragma once

#include <cmath>

#include <stipple/backend/norm_shape.hpp>
#include <stipple/core/activation.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Where batch normalisation takes mean and variance from.
enum class BatchStatistics { batch, given };

namespace ops {

template <Real T, Device D>
struct BatchNormResult {
  Tensor<T, D> y;                                   ///< the shape of x
  Tensor<accumulate_t<T>, D> mean, rstd, variance;  ///< (C); the variance divides by the number of values
};
template <Real T, Device D>
struct BatchNormGradients {
  Tensor<T, D> x;
  Tensor<accumulate_t<T>, D> weight, bias;  ///< (C); undefined where the operand was
};

/// activation((x - mean) rstd weight + bias) for x (N, ..., C), with mean and variance of each channel over the whole
/// batch and rstd = 1 / sqrt(variance + eps). weight and bias are (C); undefined ones are left out.
template <Real T, Device D>
BatchNormResult<T, D> batch_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, double eps = 1e-5,
                                 Activation activation = Activation::none);

/// The same with mean and variance given, (C) each: for evaluation.
template <Real T, Device D>
BatchNormResult<T, D> batch_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, const Tensor<accumulate_t<T>, D>& mean,
                                 const Tensor<accumulate_t<T>, D>& variance, double eps = 1e-5,
                                 Activation activation = Activation::none);

/// Gradients from that of the result, x and the statistics of the forward pass. Statistics of the batch depend on x;
/// given ones are constants.
template <Real T, Device D>
BatchNormGradients<T, D> batch_norm_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                             const Tensor<accumulate_t<T>, D>& weight,
                                             const Tensor<accumulate_t<T>, D>& bias,
                                             const Tensor<accumulate_t<T>, D>& mean,
                                             const Tensor<accumulate_t<T>, D>& rstd, BatchStatistics statistics,
                                             Activation activation = Activation::none);

/// Moves running statistics towards those of a batch of `count` values a channel, as PyTorch does:
/// running = (1 - momentum) running + momentum batch, where the batch's variance divides by count - 1.
template <Real A, Device D>
void update_running_statistics(Tensor<A, D>& mean, Tensor<A, D>& variance, const Tensor<A, D>& batch_mean,
                               const Tensor<A, D>& batch_variance, Index count, double momentum);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/batch_norm.hpp>

namespace stipple::ops::detail {

/// Checks x (..., C) and its per-channel operands.
template <Real T, Device D>
NormShape batch_norm_shape(const char* name, const Tensor<T, D>& x,
                           std::initializer_list<const Tensor<accumulate_t<T>, D>*> operands) {
  require(x.defined() && x.rank() >= 2 && x.dim(-1) >= 1, name, ": given an input of shape ", x.shape(),
          ", wanted (N, ..., C) with at least one channel");
  Index const channels = x.dim(-1);
  for (auto const* operand : operands)
    require(!operand->defined() || operand->shape() == Shape{channels}, name, ": given an operand of shape ",
            operand->shape(), " for ", channels, " channels, wanted (", channels, ")");
  return {1, x.size() / channels, channels, channels};
}

template <Real A>
void inverse_deviations(const Tensor<A>& variance, Tensor<A>& rstd, double eps) {
  for (Index c = 0; c < variance.size(); ++c) {
    require(variance.data()[c] >= 0, "batch_norm: given variance ", static_cast<double>(variance.data()[c]),
            " of channel ", c, ", wanted zero or more");
    rstd.data()[c] = static_cast<A>(1 / std::sqrt(static_cast<double>(variance.data()[c]) + eps));
  }
}

/// running = (1 - momentum) running + momentum scale batch
template <Real A>
void update_running(Tensor<A>& running, const Tensor<A>& batch, double momentum, double scale) {
  for (Index c = 0; c < running.size(); ++c)
    running.data()[c] = static_cast<A>((1 - momentum) * static_cast<double>(running.data()[c]) +
                                       momentum * scale * static_cast<double>(batch.data()[c]));
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
BatchNormResult<T, D> batch_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, double eps, Activation activation) {
  auto const shape = detail::batch_norm_shape("batch_norm", x, {&weight, &bias});
  require(shape.pixels >= 2, "batch_norm: given an input of shape ", x.shape(),
          ", wanted at least two values a channel to take statistics of");
  require(eps >= 0, "batch_norm: given eps ", eps, ", wanted zero or more");
  Shape const per_channel{shape.channels};
  BatchNormResult<T, D> out{Tensor<T, D>(x.shape()), Tensor<accumulate_t<T>, D>(per_channel),
                            Tensor<accumulate_t<T>, D>(per_channel), Tensor<accumulate_t<T>, D>(per_channel)};
  using cpu::group_norm;
  group_norm<T>(x.data(), weight.data(), bias.data(), out.y.data(), out.mean.data(), out.rstd.data(),
                out.variance.data(), shape, eps, activation);
  return out;
}

template <Real T, Device D>
BatchNormResult<T, D> batch_norm(const Tensor<T, D>& x, const Tensor<accumulate_t<T>, D>& weight,
                                 const Tensor<accumulate_t<T>, D>& bias, const Tensor<accumulate_t<T>, D>& mean,
                                 const Tensor<accumulate_t<T>, D>& variance, double eps, Activation activation) {
  require(mean.defined() && variance.defined(), "batch_norm: given no running statistics to evaluate with");
  auto const shape = detail::batch_norm_shape("batch_norm", x, {&weight, &bias, &mean, &variance});
  require(eps >= 0, "batch_norm: given eps ", eps, ", wanted zero or more");
  BatchNormResult<T, D> out{Tensor<T, D>(x.shape()), mean, Tensor<accumulate_t<T>, D>(mean.shape()), variance};
  if constexpr (std::same_as<D, Cpu>)
    detail::inverse_deviations(variance, out.rstd, eps);
  else
    inverse_deviations(variance.data(), out.rstd.data(), eps, shape.channels);
  using cpu::batch_norm_given;
  batch_norm_given<T>(x.data(), mean.data(), out.rstd.data(), weight.data(), bias.data(), out.y.data(), shape,
                      activation);
  return out;
}

template <Real T, Device D>
BatchNormGradients<T, D> batch_norm_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x,
                                             const Tensor<accumulate_t<T>, D>& weight,
                                             const Tensor<accumulate_t<T>, D>& bias,
                                             const Tensor<accumulate_t<T>, D>& mean,
                                             const Tensor<accumulate_t<T>, D>& rstd, BatchStatistics statistics,
                                             Activation activation) {
  require(mean.defined() && rstd.defined(), "batch_norm backward: given no statistics");
  auto const shape = detail::batch_norm_shape("batch_norm backward", x, {&weight, &bias, &mean, &rstd});
  require(dy.shape() == x.shape(), "batch_norm backward: given a gradient of shape ", dy.shape(), ", wanted ",
          x.shape());
  BatchNormGradients<T, D> g;
  g.x = Tensor<T, D>(x.shape());
  if (weight.defined()) g.weight = Tensor<accumulate_t<T>, D>(weight.shape());
  if (bias.defined()) g.bias = Tensor<accumulate_t<T>, D>(bias.shape());
  using cpu::batch_norm_given_backward;
  using cpu::group_norm_backward;
  if (statistics == BatchStatistics::batch)
    group_norm_backward<T>(dy.data(), x.data(), weight.data(), bias.data(), mean.data(), rstd.data(), g.x.data(),
                           g.weight.data(), g.bias.data(), shape, activation);
  else
    batch_norm_given_backward<T>(dy.data(), x.data(), mean.data(), rstd.data(), weight.data(), bias.data(), g.x.data(),
                                 g.weight.data(), g.bias.data(), shape, activation);
  return g;
}

template <Real A, Device D>
void update_running_statistics(Tensor<A, D>& mean, Tensor<A, D>& variance, const Tensor<A, D>& batch_mean,
                               const Tensor<A, D>& batch_variance, Index count, double momentum) {
  require(mean.shape() == batch_mean.shape() && variance.shape() == batch_variance.shape(),
          "batch_norm: given running statistics of shapes ", mean.shape(), " and ", variance.shape(), ", wanted ",
          batch_mean.shape());
  require(momentum >= 0 && momentum <= 1, "batch_norm: given momentum ", momentum, ", wanted 0 to 1");
  double const unbias = static_cast<double>(count) / static_cast<double>(std::max<Index>(1, count - 1));
  if constexpr (std::same_as<D, Cpu>) {
    detail::update_running(mean, batch_mean, momentum, 1);
    detail::update_running(variance, batch_variance, momentum, unbias);
  } else {
    update_running(mean.data(), batch_mean.data(), momentum, 1, mean.size());
    update_running(variance.data(), batch_variance.data(), momentum, unbias, variance.size());
  }
}

#define STIPPLE_INSTANCES(T, D)                                                                                       \
  template BatchNormResult<T, D> batch_norm<T, D>(const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&,             \
                                                  const Tensor<accumulate_t<T>, D>&, double, Activation);             \
  template BatchNormResult<T, D> batch_norm<T, D>(                                                                    \
      const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&,                      \
      const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&, double, Activation);                      \
  template BatchNormGradients<T, D> batch_norm_backward<T, D>(                                                        \
      const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&, \
      const Tensor<accumulate_t<T>, D>&, const Tensor<accumulate_t<T>, D>&, BatchStatistics, Activation);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(A, D)                                                                    \
  template void update_running_statistics<A, D>(Tensor<A, D>&, Tensor<A, D>&, const Tensor<A, D>&, \
                                                const Tensor<A, D>&, Index, double);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
