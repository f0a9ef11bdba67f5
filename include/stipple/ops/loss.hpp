// Losses between a prediction and a target, and cross-entropy of logits.
#pragma once

#include <stipple/backend/cpu/loss.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

enum class Reduction { mean, sum, none };

namespace ops {

/// A loss of the difference d of prediction and target.
struct LossSpec {
  cpu::LossForm form = cpu::LossForm::squared;
  double edge = 1;    ///< where the quadratic part ends
  double height = 1;  ///< slope beyond it
  Reduction reduction = Reduction::mean;

  template <class C>
  cpu::LossKind<C> kind() const {
    return {form, static_cast<C>(edge), static_cast<C>(height)};
  }
};

/// Shape (1) for mean and sum, that of the prediction for none. The target has the accumulation type. Throws unless
/// the shapes agree and there is at least one element.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> loss(const char* name, const LossSpec& spec, const Tensor<T, D>& prediction,
                                const Tensor<accumulate_t<T>, D>& target) {
  using C = accumulate_t<T>;
  require(prediction.defined() && target.defined() && prediction.shape() == target.shape() && prediction.size() > 0,
          name, ": given prediction ", prediction.shape(), " and target ", target.shape(),
          ", wanted the same shape with elements");
  require(spec.edge > 0, name, ": given ", spec.edge, " as the end of the quadratic part, wanted more than 0");
  if (spec.reduction == Reduction::none) {
    Tensor<C, D> out(prediction.shape());
    cpu::loss_elements(spec.kind<C>(), prediction.data(), target.data(), out.data(), prediction.size());
    return out;
  }
  double const total = cpu::loss_total(spec.kind<C>(), prediction.data(), target.data(), prediction.size());
  auto const count = static_cast<double>(spec.reduction == Reduction::mean ? prediction.size() : 1);
  return Tensor<C, D>({1}, static_cast<C>(total / count));
}

/// Gradient with respect to the prediction, from the gradient `dy` of the loss.
template <Real T, Device D>
Tensor<T, D> loss_backward(const LossSpec& spec, const Tensor<accumulate_t<T>, D>& dy, const Tensor<T, D>& prediction,
                           const Tensor<accumulate_t<T>, D>& target) {
  using C = accumulate_t<T>;
  Tensor<T, D> out(prediction.shape());
  bool const each = spec.reduction == Reduction::none;
  double const count = static_cast<double>(spec.reduction == Reduction::mean ? prediction.size() : 1);
  C const scale = each ? C(1) : static_cast<C>(static_cast<double>(dy.item()) / count);
  cpu::loss_backward(spec.kind<C>(), prediction.data(), target.data(), scale, each ? dy.data() : nullptr, out.data(),
                     prediction.size());
  return out;
}

template <Real T, Device D>
struct CrossEntropyResult {
  Tensor<accumulate_t<T>, D> loss;      ///< (1)
  Tensor<accumulate_t<T>, D> gradient;  ///< of the logits; undefined unless asked for
};

/// Mean over rows of -sum_c q_c log softmax(logits)_c, where q gives 1 - label_smoothing to the label and spreads the
/// rest over all classes. logits (N, classes), labels (N). Throws for a label out of range.
template <Real T, Device D>
CrossEntropyResult<T, D> cross_entropy(const Tensor<T, D>& logits, const Tensor<std::int32_t, D>& labels,
                                       double label_smoothing, bool with_gradient) {
  using C = accumulate_t<T>;
  require(logits.defined() && logits.rank() == 2 && labels.defined() && labels.shape() == Shape{logits.dim(0)} &&
              logits.size() > 0,
          "cross_entropy_loss: given logits ", logits.shape(), " and labels ", labels.shape(),
          ", wanted (N, classes) and (N)");
  require(label_smoothing >= 0 && label_smoothing <= 1, "cross_entropy_loss: given label_smoothing ", label_smoothing,
          ", wanted 0 to 1");
  Index const n = logits.dim(0), classes = logits.dim(1);
  for (Index i = 0; i < n; ++i)
    require(labels.data()[i] >= 0 && labels.data()[i] < classes, "cross_entropy_loss: given label ", labels.data()[i],
            " for row ", i, ", wanted 0 to ", classes - 1);
  CrossEntropyResult<T, D> result;
  Tensor<C, D> rows({n});
  if (with_gradient) result.gradient = Tensor<C, D>(logits.shape());
  cpu::cross_entropy_rows(logits.data(), labels.data(), label_smoothing, rows.data(),
                          with_gradient ? result.gradient.data() : nullptr, n, classes);
  double total = 0;
  for (C const row : rows.span()) total += static_cast<double>(row);
  result.loss = Tensor<C, D>({1}, static_cast<C>(total / static_cast<double>(n)));
  return result;
}

}  // namespace ops
}  // namespace stipple
