// Classifier-free guidance (Ho and Salimans 2022) as a wrapper around a conditional denoiser.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/denoiser.hpp>
#include <stipple/diffusion/process.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// How the scale enters; c and u are the predictions with and without the condition.
enum class GuidanceForm {
  paper,        ///< (1 + w) c - w u (eq. 6): 0 is plain conditional sampling
  interpolate,  ///< u + s (c - u), s = 1 + w: 0 is unconditional, 1 plain conditional; usual in programs
};

struct GuidanceOptions {
  double scale = 0;
  GuidanceForm form = GuidanceForm::paper;
  std::int32_t null_label = 0;  ///< the label that stands for no condition
  /// Guidance acts at timesteps in [first_timestep, last_timestep] (Kynkaanniemi et al. 2024); elsewhere sampling is
  /// plainly conditional. On a GPU an interval waits for it in every step.
  double first_timestep = 0;
  double last_timestep = std::numeric_limits<double>::infinity();
  /// Share of the guided prediction that is scaled back to c's standard deviation (Lin et al. 2023, eq. 15 and 16).
  double rescale = 0;
};

namespace detail {

/// Two tensors of the same shape, one after the other along the first axis.
template <Element T, Device D>
Tensor<T, D> stacked(const Tensor<T, D>& a, const Tensor<T, D>& b);

// The standard deviation of n values, with n - 1 in the denominator.
template <Real S>
double standard_deviation(const S* values, Index n);

// Mixes `guided` with itself scaled to the standard deviation of `conditional`, sample by sample. On the host.
template <Real S, Device D>
void rescale_rows(Tensor<S, D>& guided, const Tensor<S, D>& conditional, double share);

}  // namespace detail

/// A denoiser that guides `conditional`; made by `guided`.
template <class F, Device D = Cpu>
struct GuidedDenoiser {
  F conditional;  ///< (x, t, labels) -> prediction
  Tensor<std::int32_t, D> labels;
  GuidanceOptions options;

  template <Real S>
  Tensor<S, D> operator()(const Tensor<S, D>& x, const Tensor<S, D>& t) const {
    Index const n = labels.size();
    require(x.defined() && x.rank() >= 1 && x.dim(0) == n && t.size() == n, "guided: given ", n,
            " labels for x of shape ", x.shape(), ", wanted one a sample");
    // u + s (c - u); the weights of c and u are s and 1 - s.
    double const s = !acts_at(t) ? 1 : options.form == GuidanceForm::paper ? 1 + options.scale : options.scale;
    if (s == 1) return conditional(x, t, labels);
    Tensor<std::int32_t, D> const null(labels.shape(), options.null_label);
    if (s == 0) return conditional(x, t, null);
    Tensor<S, D> const both = conditional(detail::stacked(x, x), detail::stacked(t, t), detail::stacked(null, labels));
    require(both.shape() == x.shape().with(0, 2 * n), "guided: the denoiser returned shape ", both.shape(),
            " for x of shape ", x.shape().with(0, 2 * n));
    Tensor<S, D> const without = both.slice(0, n), with = both.slice(n, 2 * n);
    Tensor<S, D> result = detail::weighted_sum(s, with, 1 - s, without);
    if (options.rescale > 0) detail::rescale_rows(result, with, options.rescale);
    return result;
  }

 private:
  template <Real S>
  bool acts_at(const Tensor<S, D>& t) const {
    if (options.first_timestep <= 0 && options.last_timestep == std::numeric_limits<double>::infinity()) return true;
    double const now = t.slice(0, 1).item();
    return now >= options.first_timestep && now <= options.last_timestep;
  }
};

/// Guides a network, or anything callable as (x, t, labels (N)) -> prediction, towards one label a sample. Both
/// predictions come from one call with 2 N samples, the ones without condition first; from one call with N where the
/// scale leaves only one of them. A named network must outlive the result.
template <class F, Device D>
auto guided(F&& conditional, Tensor<std::int32_t, D> labels, const GuidanceOptions& options) {
  require(labels.defined() && labels.rank() == 1, "guided: given labels of shape ", labels.shape(), ", wanted (N)");
  require(std::isfinite(options.scale) && options.rescale >= 0 && options.rescale <= 1, "guided: given scale ",
          options.scale, " and rescale ", options.rescale, ", wanted a number and a share from 0 to 1");
  auto bound = with_labels(std::forward<F>(conditional), std::move(labels));
  return GuidedDenoiser<decltype(bound.conditional), D>{std::forward<decltype(bound.conditional)>(bound.conditional),
                                                        std::move(bound.labels), options};
}

/// Labels for training with guidance: each becomes `null_label` with this probability, keyed by the sample.
STIPPLE_INLINE Tensor<std::int32_t> drop_labels(const Tensor<std::int32_t>& labels, double probability,
                                                std::int32_t null_label, Rng& rng, std::uint64_t first_sample = 0);

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple::detail {

template <Element T, Device D>
Tensor<T, D> stacked(const Tensor<T, D>& a, const Tensor<T, D>& b) {
  Tensor<T, D> both(a.shape().with(0, 2 * a.dim(0)));
  both.slice(0, a.dim(0)).copy_from(a);
  both.slice(a.dim(0), 2 * a.dim(0)).copy_from(b);
  return both;
}

template <Real S>
double standard_deviation(const S* values, Index n) {
  double sum = 0, squares = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(values[i]);
  double const mean = sum / static_cast<double>(n);
  for (Index i = 0; i < n; ++i) squares += (static_cast<double>(values[i]) - mean) * (values[i] - mean);
  return std::sqrt(squares / static_cast<double>(std::max<Index>(1, n - 1)));
}

template <Real S, Device D>
void rescale_rows(Tensor<S, D>& guided, const Tensor<S, D>& conditional, double share) {
  if constexpr (!std::same_as<D, Cpu>) {
    auto host = to<Cpu>(guided);
    rescale_rows(host, to<Cpu>(conditional), share);
    guided.copy_from(to<D>(host));
  } else {
    Index const row = guided.shape().count(1, guided.rank());
    parallel_for(guided.dim(0), 1, [&](Index begin, Index end) {
      for (Index n = begin; n < end; ++n) {
        S* const values = guided.data() + n * row;
        double const deviation = standard_deviation(values, row);
        if (deviation == 0) continue;
        double const wanted = standard_deviation(conditional.data() + n * row, row);
        auto const factor = static_cast<S>(share * wanted / deviation + (1 - share));
        for (Index i = 0; i < row; ++i) values[i] *= factor;
      }
    });
  }
}

#define STIPPLE_INSTANCES(T, D) template Tensor<T, D> stacked<T, D>(const Tensor<T, D>&, const Tensor<T, D>&);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(std::int32_t, STIPPLE_DEVICE))
#undef STIPPLE_INSTANCES

#define STIPPLE_INSTANCES(S, D) template void rescale_rows<S, D>(Tensor<S, D>&, const Tensor<S, D>&, double);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES
STIPPLE_INSTANTIATE_CPU(template double standard_deviation<float>(const float*, Index);
                        template double standard_deviation<double>(const double*, Index);)

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Tensor<std::int32_t> drop_labels(const Tensor<std::int32_t>& labels, double probability,
                                                std::int32_t null_label, Rng& rng, std::uint64_t first_sample) {
  require(labels.defined() && labels.rank() == 1 && probability >= 0 && probability <= 1,
          "drop_labels: given labels of shape ", labels.shape(), " and probability ", probability,
          ", wanted (N) and 0 to 1");
  auto const u = rng.uniform(labels.shape(), 0, 1, Purpose::label, first_sample);
  Tensor<std::int32_t> kept = labels.clone();
  for (Index i = 0; i < kept.size(); ++i)
    if (u.data()[i] < probability) kept.data()[i] = null_label;
  return kept;
}
#endif

}  // namespace stipple

#endif
