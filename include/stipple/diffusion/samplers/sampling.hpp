// What all samplers share: checks of their input, the call of the denoiser, the step's weighted sum, the callback.
#pragma once

#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/denoiser.hpp>
#include <stipple/diffusion/noise.hpp>
#include <stipple/diffusion/process.hpp>

namespace stipple {

/// State of a sampler after one step. The tensors of one that runs on a GPU are copies on the host.
struct SamplerStep {
  int index = 0;        ///< 0 for the first step
  int steps = 0;        ///< how many there are
  double timestep = 0;  ///< t of the prediction
  Tensor<float> x;      ///< after the step; the sampler never writes to it again, so it may be kept
  Tensor<float> x0;     ///< the data predicted in this step, after clipping
};

/// Called after each step. Returning false ends sampling: the sampler returns x as it is.
using SamplerCallback = std::function<bool(const SamplerStep&)>;

namespace detail {

// What samplers call: the prediction at (x, t), and the normals of a step (step, shape).
template <Real S, Device D>
using DenoiserFunction = std::function<Tensor<S, D>(const Tensor<S, D>&, const Tensor<S, D>&)>;
template <Real S, Device D>
using NoiseFunction = std::function<Tensor<S, D>(int, const Shape&)>;

// `f`, which must outlive the result, is a denoiser or a network.
template <Real S, Device D, class F>
DenoiserFunction<S, D> denoiser_function(const F& f) {
  return [&f](const Tensor<S, D>& x, const Tensor<S, D>& t) { return as_denoiser<S, D>(f)(x, t); };
}

// `noise`, which must outlive the result, is an Rng, for samples first_sample, first_sample + 1, ..., or such a
// function.
template <Real S, Device D>
NoiseFunction<S, D> noise_function(Rng& rng, std::uint64_t first_sample);
template <Real S, Device D, class Noise>
NoiseFunction<S, D> noise_function(Noise& noise, std::uint64_t) {
  return [&noise](int step, const Shape& shape) { return noise(step, shape); };
}

// Weights of a step in double; see UpdateWeights.
struct StepWeights {
  LinearForm x0_form;
  double x = 0, prediction = 0, x0 = 0;
  std::array<double, 3> extra{};
};

// How x0 is bounded before it is used; the options of every sampler have these fields.
struct X0Bound {
  double clip = std::numeric_limits<double>::infinity();
  double threshold_ratio = 0, threshold_largest = 0;  // no thresholding when 0

  template <class Options>
  X0Bound(const char* name, const Options& o) {
    require(!o.clip_sample || o.clip_range > 0, name, ": given clip_range ", o.clip_range, ", wanted more than 0");
    require(!o.thresholding ||
                (o.dynamic_thresholding_ratio > 0 && o.dynamic_thresholding_ratio <= 1 && o.sample_max_value >= 1),
            name, ": given dynamic_thresholding_ratio ", o.dynamic_thresholding_ratio, " and sample_max_value ",
            o.sample_max_value, ", wanted a ratio in (0, 1] and a value of at least 1");
    if (o.thresholding) {
      threshold_ratio = o.dynamic_thresholding_ratio;
      threshold_largest = o.sample_max_value;
    } else if (o.clip_sample) {
      clip = o.clip_range;
    }
  }
};

// Clamps each sample to [-s, s] and divides by s, where s is the `ratio` quantile of its magnitudes, at least 1 and
// at most `largest` (Saharia et al. 2022, section 2.3, dynamic thresholding). On the host.
template <Real S, Device D>
void threshold_rows(Tensor<S, D>& x0, double ratio, double largest);

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

namespace stipple::detail {

template <Real S, Device D>
NoiseFunction<S, D> noise_function(Rng& rng, std::uint64_t first_sample) {
  return [&rng, first_sample](int, const Shape& shape) {
    return ops::cast<S>(draw_normal<D>(rng, shape, Purpose::sample, first_sample));
  };
}

// The normals of one step.
template <Real S, Device D>
Tensor<S, D> step_noise(const char* name, const NoiseFunction<S, D>& noise, int step, const Shape& shape) {
  Tensor<S, D> z = noise(step, shape);
  require(z.shape() == shape, name, ": given noise of shape ", z.shape(), ", wanted ", shape);
  return z;
}

template <Real S, Device D>
void threshold_rows(Tensor<S, D>& x0, double ratio, double largest) {
  if constexpr (!std::same_as<D, Cpu>) {
    auto host = to<Cpu>(x0);
    threshold_rows(host, ratio, largest);
    x0.copy_from(to<D>(host));
  } else {
    Index const row = x0.shape().count(1, x0.rank());
    if (row == 0) return;
    parallel_for(x0.dim(0), 1, [&](Index begin, Index end) {
      std::vector<S> magnitudes(static_cast<std::size_t>(row));
      for (Index n = begin; n < end; ++n) {
        S* const values = x0.data() + n * row;
        for (Index i = 0; i < row; ++i) magnitudes[static_cast<std::size_t>(i)] = std::abs(values[i]);
        double const rank = ratio * static_cast<double>(row - 1);
        auto const below = static_cast<std::ptrdiff_t>(rank);
        auto const at = magnitudes.begin() + below;
        std::nth_element(magnitudes.begin(), at, magnitudes.end());
        double quantile = *at;
        if (at + 1 != magnitudes.end())
          quantile += (rank - static_cast<double>(below)) * (*std::min_element(at + 1, magnitudes.end()) - quantile);
        auto const s = static_cast<S>(std::clamp(quantile, 1.0, largest));
        for (Index i = 0; i < row; ++i) values[i] = (values[i] < -s ? -s : s < values[i] ? s : values[i]) / s;
      }
    });
  }
}

// x after a step and, where it is kept, the predicted x0.
template <Real S, Device D>
struct StepResult {
  Tensor<S, D> x, x0;
};

// One pass over x, the prediction and the extras, unless x0 is thresholded, which takes it sample by sample.
template <Real S, Device D>
StepResult<S, D> step(StepWeights w, const X0Bound& bound, const Tensor<S, D>& x, const Tensor<S, D>& prediction,
                      std::vector<const Tensor<S, D>*> extras, bool keep_x0) {
  using cpu::diffusion_update;
  StepResult<S, D> result;
  bool const thresholded = bound.threshold_ratio > 0;
  if (thresholded) {
    UpdateWeights<S> const form{
        .x = static_cast<S>(w.x0_form.a), .prediction = static_cast<S>(w.x0_form.b), .extra = {}};
    result.x0 = Tensor<S, D>(x.shape());
    diffusion_update<S>(form, x.data(), prediction.data(), UpdateExtras<S, D>{}, result.x0.data(), nullptr, x.size());
    threshold_rows(result.x0, bound.threshold_ratio, bound.threshold_largest);
    w.extra[extras.size()] = w.x0;
    extras.push_back(&result.x0);
    w.x0 = 0;
  } else if (bound.clip == std::numeric_limits<double>::infinity()) {
    // Without a bound the step is linear in x and the prediction: fewer roundings.
    w.x += w.x0 * w.x0_form.a;
    w.prediction += w.x0 * w.x0_form.b;
    w.x0 = 0;
  }
  UpdateWeights<S> weights{.x0_of_x = static_cast<S>(w.x0_form.a),
                           .x0_of_prediction = static_cast<S>(w.x0_form.b),
                           .clip = static_cast<S>(bound.clip),
                           .x = static_cast<S>(w.x),
                           .prediction = static_cast<S>(w.prediction),
                           .x0 = static_cast<S>(w.x0),
                           .extra = {}};
  UpdateExtras<S, D> pointers{};
  for (std::size_t k = 0; k < extras.size(); ++k) {
    weights.extra[k] = static_cast<S>(w.extra[k]);
    pointers[k] = std::as_const(*extras[k]).data();
  }
  result.x = Tensor<S, D>(x.shape());
  bool const write_x0 = keep_x0 && !thresholded;
  if (write_x0) result.x0 = Tensor<S, D>(x.shape());
  diffusion_update<S>(weights, x.data(), prediction.data(), pointers, result.x.data(),
                      write_x0 ? result.x0.data() : nullptr, x.size());
  return result;
}

// The timesteps of a run: the explicit list, or `steps` of the schedule's (all when 0). Throws unless they fall.
template <class Options, class List>
std::vector<int> chosen_timesteps(const char* name, const Schedule& schedule, const Options& o, const List& list) {
  int const total = schedule.num_train_timesteps();
  require(o.timesteps.empty() || o.steps == 0, name, ": given both steps and timesteps, wanted one of them");
  require(o.steps >= 0 && o.steps <= total, name, ": given ", o.steps, " steps, wanted 1 to ", total,
          ", or 0 for all of them");
  if (o.timesteps.empty()) return list(o.steps == 0 ? total : o.steps);
  for (std::size_t i = 0; i < o.timesteps.size(); ++i) {
    int const t = o.timesteps[i];
    require(t >= 0 && t < total && (i == 0 || t < o.timesteps[i - 1]), name, ": given timestep ", t, " at place ", i,
            ", wanted falling ones below ", total);
  }
  return o.timesteps;
}

template <Real S, Device D>
void check_start(const char* name, const Tensor<S, D>& x) {
  require(x.defined() && x.rank() >= 1 && x.size() > 0, name, ": given x_T of shape ", x.shape(),
          ", wanted samples along the first axis");
}

// The prediction at x for timestep t, `channels` times as many of them along the last axis as x has.
template <Real S, Device D>
Tensor<S, D> predict(const char* name, const DenoiserFunction<S, D>& f, const Tensor<S, D>& x, double t,
                     int channels = 1) {
  Tensor<S, D> prediction = f(x, Tensor<S, D>({x.dim(0)}, static_cast<S>(t)));
  Shape const wanted = channels == 1 ? x.shape() : x.shape().with(-1, channels * x.dim(-1));
  require(prediction.shape() == wanted, name, ": the denoiser returned shape ", prediction.shape(), ", wanted ",
          wanted);
  return prediction;
}

// Tells the callback; false when it wants to end.
template <Real S, Device D>
bool report(const SamplerCallback& callback, std::size_t index, std::size_t steps, double t,
            const StepResult<S, D>& now) {
  if (!callback) return true;
  return callback({static_cast<int>(index), static_cast<int>(steps), t, to<Cpu>(ops::cast<float>(now.x)),
                   to<Cpu>(ops::cast<float>(now.x0))});
}

#define STIPPLE_INSTANCES(S, D)                                           \
  template NoiseFunction<S, D> noise_function<S, D>(Rng&, std::uint64_t); \
  template void threshold_rows<S, D>(Tensor<S, D>&, double, double);
STIPPLE_FOR_EACH_WIDE(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::detail

#endif
