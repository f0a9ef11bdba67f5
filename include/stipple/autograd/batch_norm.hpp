// Gradient of batch normalisation, and of the activation behind it.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/batch_norm.hpp>

namespace stipple {

struct BatchNormSpec {
  double eps = 1e-5;
  double momentum = 0.1;  ///< share of the batch in the running statistics
  Activation activation = Activation::none;
};

/// activation((x - mean) rstd weight + bias) over all axes but the last, see ops::batch_norm. When `training`, with the
/// statistics of the batch, and the running ones, which share storage with the caller's, are moved towards them;
/// otherwise with the running ones. Of the forward pass only x and the statistics are kept.
template <Real T, Device D>
Var<T, D> batch_norm(const Var<T, D>& x, const Var<accumulate_t<T>, D>& weight, const Var<accumulate_t<T>, D>& bias,
                     Tensor<accumulate_t<T>, D> running_mean, Tensor<accumulate_t<T>, D> running_variance,
                     bool training, const BatchNormSpec& spec = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> batch_norm(const Var<T, D>& x, const Var<accumulate_t<T>, D>& weight, const Var<accumulate_t<T>, D>& bias,
                     Tensor<accumulate_t<T>, D> running_mean, Tensor<accumulate_t<T>, D> running_variance,
                     bool training, const BatchNormSpec& spec) {
  auto const statistics = training ? BatchStatistics::batch : BatchStatistics::given;
  auto out = training ? ops::batch_norm(x.value(), weight.value(), bias.value(), spec.eps, spec.activation)
                      : ops::batch_norm(x.value(), weight.value(), bias.value(), running_mean, running_variance,
                                        spec.eps, spec.activation);
  if (training && !autograd::recomputing_flag())
    ops::update_running_statistics(running_mean, running_variance, out.mean, out.variance, x.value().size() / x.dim(-1),
                                   spec.momentum);
  return record(std::move(out.y), std::tie(x, weight, bias),
                [kept = autograd::Kept(x), w = weight.value(), b = bias.value(), mean = out.mean, rstd = out.rstd,
                 statistics, activation = spec.activation](const Tensor<T, D>& dy) {
                  auto g = ops::batch_norm_backward(dy, kept.value(), w, b, mean, rstd, statistics, activation);
                  return std::tuple(std::move(g.x), std::move(g.weight), std::move(g.bias));
                });
}

#define STIPPLE_INSTANCES(T, D)                                                                   \
  template Var<T, D> batch_norm<T, D>(const Var<T, D>&, const Var<accumulate_t<T>, D>&,           \
                                      const Var<accumulate_t<T>, D>&, Tensor<accumulate_t<T>, D>, \
                                      Tensor<accumulate_t<T>, D>, bool, const BatchNormSpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
