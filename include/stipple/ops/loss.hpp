// Losses of a prediction against a target, and cross entropy of logits against labels; definitions as in
// torch.nn.functional. Results are in the accumulation type.
#pragma once

#include <stipple/backend/loss_kind.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/embedding.hpp>
#include <stipple/ops/reduce.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

enum class Reduction { mean, sum, none };

struct CrossEntropySpec {
  double label_smoothing = 0;  ///< share of the target spread evenly over the classes, 0 to 1
  Reduction reduction = Reduction::mean;
};

namespace ops {

using stipple::LossKind;

/// An elementwise loss: its kind, its parameter (delta or beta) and how it is reduced.
struct LossSpec {
  LossKind kind = LossKind::mse;
  double parameter = 0;
  Reduction reduction = Reduction::mean;
};

namespace detail {
template <class T, class U>
concept TargetFor = std::same_as<U, T> || std::same_as<U, accumulate_t<T>>;
}  // namespace detail

/// The loss of a prediction x against a target y of its shape: a tensor without axes, or one of that shape for
/// Reduction::none. `name` is the operation in messages.
template <Real T, Real U, Device D>
requires detail::TargetFor<T, U> Tensor<accumulate_t<T>, D> loss(const char* name, const Tensor<T, D>& x,
                                                                 const Tensor<U, D>& y, const LossSpec& spec);

/// Gradient of the prediction, as elements of type O (T or the accumulation type). That of the target is its negative.
template <Real O, Real T, Real U, Device D>
requires detail::TargetFor<T, U> Tensor<O, D> loss_backward(const char* name, const Tensor<accumulate_t<T>, D>& dy,
                                                            const Tensor<T, D>& x, const Tensor<U, D>& y,
                                                            const LossSpec& spec, double sign = 1);

/// Result of `cross_entropy`, and log sum exp of each row for its gradient.
template <Real T, Device D>
struct CrossEntropy {
  Tensor<accumulate_t<T>, D> loss, normalisers;
};

/// Cross entropy of logits (N, C) against labels (N) in [0, C).
template <Real T, Device D>
CrossEntropy<T, D> cross_entropy(const Tensor<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                                 const CrossEntropySpec& spec = {});

/// Gradient of the logits.
template <Real T, Device D>
Tensor<T, D> cross_entropy_backward(const Tensor<accumulate_t<T>, D>& dy, const Tensor<T, D>& logits,
                                    const Tensor<std::int32_t, D>& labels,
                                    const Tensor<accumulate_t<T>, D>& normalisers, const CrossEntropySpec& spec = {});

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/loss.hpp>

namespace stipple::ops::detail {

inline void check_loss(const char* name, const Shape& x, const Shape& y, bool defined, const LossSpec& spec) {
  require(defined, name, ": given an empty tensor");
  require(x == y, name, ": given a prediction of shape ", x, " and a target of shape ", y, ", wanted equal shapes");
  require(spec.reduction != Reduction::mean || x.size() >= 1, name, ": given shape ", x,
          ", wanted at least one element to take the mean of");
  if (spec.kind == LossKind::huber)
    require(spec.parameter > 0, name, ": given delta ", spec.parameter, ", wanted a positive number");
  if (spec.kind == LossKind::smooth_l1)
    require(spec.parameter >= 0, name, ": given beta ", spec.parameter, ", wanted zero or more");
}

/// What each element counts: 1/n in a mean over n, 1 otherwise.
inline double loss_weight(Reduction reduction, Index n) {
  return reduction == Reduction::mean ? 1.0 / static_cast<double>(n) : 1.0;
}

template <Real A, Device D>
void check_loss_gradient(const char* name, const Tensor<A, D>& dy, Reduction reduction, const Shape& each) {
  Shape const wanted = reduction == Reduction::none ? each : Shape{};
  require(dy.defined(), name, ": given an empty gradient");
  require(dy.shape() == wanted, name, ": given a gradient of shape ", dy.shape(), ", wanted ", wanted);
}

/// Checks logits (N, C) and labels (N).
template <Real T, Device D>
void check_cross_entropy(const char* name, const Tensor<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                         const CrossEntropySpec& spec) {
  require(logits.rank() == 2 && labels.shape() == Shape{logits.dim(0)} && logits.dim(1) >= 1, name,
          ": given logits of shape ", logits.shape(), " and labels of shape ", labels.shape(),
          ", wanted (N, C) with at least one class, and (N)");
  require(spec.label_smoothing >= 0 && spec.label_smoothing <= 1, name, ": given label smoothing ",
          spec.label_smoothing, ", wanted 0 to 1");
  require(spec.reduction != Reduction::mean || logits.dim(0) >= 1, name, ": given no rows to take the mean of");
  check_ids(name, labels, logits.dim(1));
}

/// The total of a loss as a tensor without axes.
template <class A>
Tensor<A> loss_result(double total, Reduction reduction, Index n) {
  return Tensor<A>({}, static_cast<A>(reduction == Reduction::mean ? total / static_cast<double>(n) : total));
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Real U, Device D>
requires detail::TargetFor<T, U> Tensor<accumulate_t<T>, D> loss(const char* name, const Tensor<T, D>& x,
                                                                 const Tensor<U, D>& y, const LossSpec& spec) {
  detail::check_loss(name, x.shape(), y.shape(), x.defined() && y.defined(), spec);
  auto const parameter = static_cast<accumulate_t<T>>(spec.parameter);
  if (spec.reduction == Reduction::none) {
    Tensor<accumulate_t<T>, D> values(x.shape());
    using cpu::loss_values;
    loss_values<T, U>(spec.kind, parameter, x.data(), y.data(), values.data(), x.size());
    return values;
  }
  if constexpr (std::same_as<D, Cpu>) {
    double const total = static_cast<double>(cpu::loss_sum(spec.kind, parameter, x.data(), y.data(), x.size()));
    return detail::loss_result<accumulate_t<T>>(total, spec.reduction, x.size());
  } else {  // the total stays on the device
    Tensor<accumulate_t<T>, D> total(Shape{});
    loss_sum<T, U>(spec.kind, parameter, x.data(), y.data(), detail::loss_weight(spec.reduction, x.size()),
                   total.data(), x.size());
    return total;
  }
}

template <Real O, Real T, Real U, Device D>
requires detail::TargetFor<T, U> Tensor<O, D> loss_backward(const char* name, const Tensor<accumulate_t<T>, D>& dy,
                                                            const Tensor<T, D>& x, const Tensor<U, D>& y,
                                                            const LossSpec& spec, double sign) {
  detail::check_loss(name, x.shape(), y.shape(), x.defined() && y.defined(), spec);
  detail::check_loss_gradient(name, dy, spec.reduction, x.shape());
  Tensor<O, D> dx(x.shape());
  using cpu::loss_backward;
  loss_backward<T, U, O>(spec.kind, static_cast<accumulate_t<T>>(spec.parameter), x.data(), y.data(), dy.data(),
                         spec.reduction != Reduction::none,
                         static_cast<accumulate_t<T>>(sign * detail::loss_weight(spec.reduction, x.size())), dx.data(),
                         x.size());
  return dx;
}

template <Real T, Device D>
CrossEntropy<T, D> cross_entropy(const Tensor<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                                 const CrossEntropySpec& spec) {
  using A = accumulate_t<T>;
  detail::check_cross_entropy("cross_entropy", logits, labels, spec);
  Index const rows = logits.dim(0);
  Tensor<A, D> losses({rows}), normalisers({rows});
  using cpu::cross_entropy;
  cross_entropy<T>(logits.data(), labels.data(), static_cast<A>(spec.label_smoothing), losses.data(),
                   normalisers.data(), rows, logits.dim(1));
  if (spec.reduction == Reduction::none) return {losses, normalisers};
  if constexpr (std::same_as<D, Cpu>) {
    double total = 0;
    for (A const value : losses.span()) total += static_cast<double>(value);
    return {detail::loss_result<A>(total, spec.reduction, rows), normalisers};
  } else {
    return {affine(sum(losses), detail::loss_weight(spec.reduction, rows)), normalisers};
  }
}

template <Real T, Device D>
Tensor<T, D> cross_entropy_backward(const Tensor<accumulate_t<T>, D>& dy, const Tensor<T, D>& logits,
                                    const Tensor<std::int32_t, D>& labels,
                                    const Tensor<accumulate_t<T>, D>& normalisers, const CrossEntropySpec& spec) {
  using A = accumulate_t<T>;
  detail::check_cross_entropy("cross_entropy_backward", logits, labels, spec);
  require(normalisers.shape() == labels.shape(), "cross_entropy_backward: given normalisers of shape ",
          normalisers.shape(), ", wanted ", labels.shape());
  detail::check_loss_gradient("cross_entropy_backward", dy, spec.reduction, labels.shape());
  Tensor<T, D> dx(logits.shape());
  using cpu::cross_entropy_backward;
  cross_entropy_backward<T>(logits.data(), labels.data(), static_cast<A>(spec.label_smoothing), normalisers.data(),
                            dy.data(), spec.reduction != Reduction::none,
                            static_cast<A>(detail::loss_weight(spec.reduction, logits.dim(0))), dx.data(),
                            logits.dim(0), logits.dim(1));
  return dx;
}

#define STIPPLE_INSTANCES(T, U, D)                                                                         \
  template Tensor<accumulate_t<T>, D> loss<T, U, D>(const char*, const Tensor<T, D>&, const Tensor<U, D>&, \
                                                    const LossSpec&);
STIPPLE_FOR_EACH_PAIR(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(O, T, U, D)                                                                                  \
  template Tensor<O, D> loss_backward<O, T, U, D>(const char*, const Tensor<accumulate_t<T>, D>&, const Tensor<T, D>&, \
                                                  const Tensor<U, D>&, const LossSpec&, double);
#define STIPPLE_OWN_GRADIENT(T, U, D) STIPPLE_INSTANCES(T, T, U, D)
STIPPLE_FOR_EACH_PAIR(STIPPLE_OWN_GRADIENT)
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(float, bf16, float, STIPPLE_DEVICE)
                        STIPPLE_INSTANCES(float, bf16, bf16, STIPPLE_DEVICE))
#undef STIPPLE_OWN_GRADIENT
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(T, D)                                                                              \
  template CrossEntropy<T, D> cross_entropy<T, D>(const Tensor<T, D>&, const Tensor<std::int32_t, D>&,       \
                                                  const CrossEntropySpec&);                                  \
  template Tensor<T, D> cross_entropy_backward<T, D>(const Tensor<accumulate_t<T>, D>&, const Tensor<T, D>&, \
                                                     const Tensor<std::int32_t, D>&,                         \
                                                     const Tensor<accumulate_t<T>, D>&, const CrossEntropySpec&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
