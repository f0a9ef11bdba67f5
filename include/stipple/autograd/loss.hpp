// Losses with gradients. Targets may be tensors, or values that need a gradient themselves.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/loss.hpp>

namespace stipple {

/// (x - y)^2
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> mse_loss(const Var<T, D>& x, const Var<U, D>& y, Reduction reduction = Reduction::mean);
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> mse_loss(const Var<T, D>& x, const Tensor<U, D>& y, Reduction reduction = Reduction::mean);

/// |x - y|
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> l1_loss(const Var<T, D>& x, const Var<U, D>& y, Reduction reduction = Reduction::mean);
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> l1_loss(const Var<T, D>& x, const Tensor<U, D>& y, Reduction reduction = Reduction::mean);

/// (x - y)^2 / 2 up to |x - y| = delta, delta (|x - y| - delta / 2) beyond (Huber 1964).
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> huber_loss(const Var<T, D>& x, const Var<U, D>& y, double delta = 1,
                                   Reduction reduction = Reduction::mean);
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> huber_loss(const Var<T, D>& x, const Tensor<U, D>& y, double delta = 1,
                                   Reduction reduction = Reduction::mean);

/// (x - y)^2 / (2 beta) up to |x - y| = beta, |x - y| - beta / 2 beyond: the Huber loss over beta.
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> smooth_l1_loss(const Var<T, D>& x, const Var<U, D>& y, double beta = 1,
                                       Reduction reduction = Reduction::mean);
template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> smooth_l1_loss(const Var<T, D>& x, const Tensor<U, D>& y, double beta = 1,
                                       Reduction reduction = Reduction::mean);

/// Cross entropy of logits (N, C) against labels (N) in [0, C).
template <Real T, Device D>
Var<accumulate_t<T>, D> cross_entropy_loss(const Var<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                                           CrossEntropySpec spec = {});

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple::autograd {

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> elementwise_loss(const char* name, const Var<T, D>& x, const Var<U, D>& y, ops::LossSpec spec) {
  using A = accumulate_t<T>;
  return record(ops::loss(name, x.value(), y.value(), spec), std::tie(x, y),
                [name, prediction = x.value(), target = y.value(), spec, needs_x = x.requires_grad(),
                 needs_y = y.requires_grad()](const Tensor<A, D>& dy) {
                  return std::tuple(
                      needs_x ? ops::loss_backward<T>(name, dy, prediction, target, spec) : Tensor<T, D>(),
                      needs_y ? ops::loss_backward<A>(name, dy, prediction, target, spec, -1) : Tensor<A, D>());
                });
}

}  // namespace stipple::autograd

namespace stipple {

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> mse_loss(const Var<T, D>& x, const Var<U, D>& y, Reduction reduction) {
  return autograd::elementwise_loss("mse_loss", x, y, {ops::LossKind::mse, 0, reduction});
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> mse_loss(const Var<T, D>& x, const Tensor<U, D>& y, Reduction reduction) {
  return mse_loss(x, Var<U, D>(y), reduction);
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> l1_loss(const Var<T, D>& x, const Var<U, D>& y, Reduction reduction) {
  return autograd::elementwise_loss("l1_loss", x, y, {ops::LossKind::l1, 0, reduction});
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> l1_loss(const Var<T, D>& x, const Tensor<U, D>& y, Reduction reduction) {
  return l1_loss(x, Var<U, D>(y), reduction);
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> huber_loss(const Var<T, D>& x, const Var<U, D>& y, double delta, Reduction reduction) {
  return autograd::elementwise_loss("huber_loss", x, y, {ops::LossKind::huber, delta, reduction});
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> huber_loss(const Var<T, D>& x, const Tensor<U, D>& y, double delta, Reduction reduction) {
  return huber_loss(x, Var<U, D>(y), delta, reduction);
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> smooth_l1_loss(const Var<T, D>& x, const Var<U, D>& y, double beta, Reduction reduction) {
  return autograd::elementwise_loss("smooth_l1_loss", x, y, {ops::LossKind::smooth_l1, beta, reduction});
}

template <Real T, Real U, Device D>
Var<accumulate_t<T>, D> smooth_l1_loss(const Var<T, D>& x, const Tensor<U, D>& y, double beta, Reduction reduction) {
  return smooth_l1_loss(x, Var<U, D>(y), beta, reduction);
}

template <Real T, Device D>
Var<accumulate_t<T>, D> cross_entropy_loss(const Var<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                                           CrossEntropySpec spec) {
  auto const out = ops::cross_entropy(logits.value(), labels, spec);
  return record(
      out.loss, std::tie(logits),
      [x = logits.value(), labels, normalisers = out.normalisers, spec](const Tensor<accumulate_t<T>, D>& dy) {
        return std::tuple(ops::cross_entropy_backward(dy, x, labels, normalisers, spec));
      });
}

#define STIPPLE_INSTANCES(T, U, D)                                                                                 \
  template Var<accumulate_t<T>, D> mse_loss<T, U, D>(const Var<T, D>&, const Var<U, D>&, Reduction);               \
  template Var<accumulate_t<T>, D> mse_loss<T, U, D>(const Var<T, D>&, const Tensor<U, D>&, Reduction);            \
  template Var<accumulate_t<T>, D> l1_loss<T, U, D>(const Var<T, D>&, const Var<U, D>&, Reduction);                \
  template Var<accumulate_t<T>, D> l1_loss<T, U, D>(const Var<T, D>&, const Tensor<U, D>&, Reduction);             \
  template Var<accumulate_t<T>, D> huber_loss<T, U, D>(const Var<T, D>&, const Var<U, D>&, double, Reduction);     \
  template Var<accumulate_t<T>, D> huber_loss<T, U, D>(const Var<T, D>&, const Tensor<U, D>&, double, Reduction);  \
  template Var<accumulate_t<T>, D> smooth_l1_loss<T, U, D>(const Var<T, D>&, const Var<U, D>&, double, Reduction); \
  template Var<accumulate_t<T>, D> smooth_l1_loss<T, U, D>(const Var<T, D>&, const Tensor<U, D>&, double, Reduction);
STIPPLE_FOR_EACH_PAIR(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T, D)                                                                               \
  template Var<accumulate_t<T>, D> cross_entropy_loss<T, D>(const Var<T, D>&, const Tensor<std::int32_t, D>&, \
                                                            CrossEntropySpec);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
