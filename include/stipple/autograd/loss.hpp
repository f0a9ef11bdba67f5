// Losses as values, with the gradient of the prediction. Targets are data: no gradient flows into them.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/ops/loss.hpp>

namespace stipple {

namespace detail {
template <Real T, Device D>
Var<accumulate_t<T>, D> recorded_loss(const char* name, const ops::LossSpec& spec, const Var<T, D>& prediction,
                                      const Tensor<accumulate_t<T>, D>& target) {
  return record(ops::loss(name, spec, prediction.value(), target), std::tie(prediction),
                [spec, p = prediction.value(), target](const Tensor<accumulate_t<T>, D>& dy) {
                  return std::tuple(ops::loss_backward(spec, dy, p, target));
                });
}
}  // namespace detail

/// Mean (or sum, or each) of (prediction - target)^2.
template <Real T, Device D>
Var<accumulate_t<T>, D> mse_loss(const Var<T, D>& prediction, const Tensor<accumulate_t<T>, D>& target,
                                 Reduction reduction = Reduction::mean) {
  return detail::recorded_loss("mse_loss", {cpu::LossForm::squared, 1, 1, reduction}, prediction, target);
}
/// Of |prediction - target|.
template <Real T, Device D>
Var<accumulate_t<T>, D> l1_loss(const Var<T, D>& prediction, const Tensor<accumulate_t<T>, D>& target,
                                Reduction reduction = Reduction::mean) {
  return detail::recorded_loss("l1_loss", {cpu::LossForm::absolute, 1, 1, reduction}, prediction, target);
}
/// d^2 / 2 for |d| < delta, else delta (|d| - delta / 2) (Huber 1964).
template <Real T, Device D>
Var<accumulate_t<T>, D> huber_loss(const Var<T, D>& prediction, const Tensor<accumulate_t<T>, D>& target,
                                   double delta = 1, Reduction reduction = Reduction::mean) {
  return detail::recorded_loss("huber_loss", {cpu::LossForm::quadratic_near, delta, delta, reduction}, prediction,
                               target);
}
/// d^2 / (2 beta) for |d| < beta, else |d| - beta / 2: huber_loss divided by delta.
template <Real T, Device D>
Var<accumulate_t<T>, D> smooth_l1_loss(const Var<T, D>& prediction, const Tensor<accumulate_t<T>, D>& target,
                                       double beta = 1, Reduction reduction = Reduction::mean) {
  return detail::recorded_loss("smooth_l1_loss", {cpu::LossForm::quadratic_near, beta, 1, reduction}, prediction,
                               target);
}

/// Mean cross-entropy of logits (N, classes) against labels (N); see ops::cross_entropy.
template <Real T, Device D>
Var<accumulate_t<T>, D> cross_entropy_loss(const Var<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                                           double label_smoothing = 0) {
  using C = accumulate_t<T>;
  auto result = ops::cross_entropy(logits.value(), labels, label_smoothing, logits.requires_grad());
  return record(result.loss, std::tie(logits), [g = result.gradient](const Tensor<C, D>& dy) {
    return std::tuple(ops::affine(g, static_cast<double>(dy.item()) / static_cast<double>(g.dim(0))));
  });
}

}  // namespace stipple
