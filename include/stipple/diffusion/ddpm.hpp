// Training of diffusion models: noise the data, predict, compare.
#pragma once

#include <string_view>

#include <stipple/autograd/loss.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/denoiser.hpp>
#include <stipple/diffusion/noise.hpp>
#include <stipple/diffusion/process.hpp>

namespace stipple {

/// How prediction and target are compared, averaged over all elements. d is their difference.
enum class Loss {
  l2,     ///< d^2 (Ho et al. 2020, eq. 14)
  l1,     ///< |d|
  huber,  ///< d^2 / 2 below |d| = 1, |d| - 1/2 above
};

/// "l1", "l2" or "huber".
STIPPLE_INLINE Loss loss_by_name(std::string_view name);

/// The mean of `kind` over all elements, in the accumulation type.
template <Real T, Device D>
Var<accumulate_t<T>, D> prediction_loss(Loss kind, const Var<T, D>& prediction,
                                        const Tensor<accumulate_t<T>, D>& target);

/// What a network is shown and what it should say: x_t and t (N), and the target of its prediction.
template <Real T, Device D = Cpu>
struct NoisedBatch {
  Tensor<T, D> x_t;
  Tensor<accumulate_t<T>, D> t, target;
};

namespace detail {

// The number of samples of data for the objective `name`; throws where there are none.
STIPPLE_INLINE Index count_samples(const char* name, const Shape& data);

// x_t, t and target of samples `x0` (N, ...), with the next draw for the noise. The rows (5, N) hold t, the weights of
// x0 and noise in x_t, and those in the target, unless that is epsilon or x0.
template <Real T, Device D>
NoisedBatch<T, D> noised_by_rows(const char* name, const Tensor<float, D>& x0, const Tensor<float, D>& rows, Rng& rng,
                                 std::uint64_t first_sample, Prediction target);

// The loss of `net`, with `conditions` after x_t and t, on a batch of the objective `name`.
template <Real T, Device D, class Net, class... Conditions>
Var<accumulate_t<T>, D> network_loss(const char* name, Loss kind, const Net& net, const NoisedBatch<T, D>& batch,
                                     const Conditions&... conditions) {
  Var<T, D> const prediction = net(Var<T, D>(batch.x_t), batch.t, conditions...);
  require(prediction.shape() == batch.x_t.shape(), name, ": the network returned shape ", prediction.shape(), " for ",
          batch.x_t.shape(), ", wanted the same");
  return prediction_loss(kind, prediction, batch.target);
}

}  // namespace detail

struct DdpmOptions {
  Prediction prediction = Prediction::epsilon;
  Loss loss = Loss::l2;
};

/// The training objective of Ho et al. 2020, algorithm 1, and its variants.
struct Ddpm {
  Schedule schedule;
  DdpmOptions options;

  explicit Ddpm(Schedule noise_schedule, DdpmOptions settings = {})
      : schedule(std::move(noise_schedule)), options(settings) {}

  /// Draws one t uniform in [0, T) and one noise a sample of `x0` (N, ...), keyed by first_sample + i, and noises the
  /// data for a network of element type T. On a GPU nothing waits, and the random numbers are the same.
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, Rng& rng, std::uint64_t first_sample = 0) const {
    return noised<T>(x0, to<D>(draw_timesteps(samples_of(x0.shape()), rng, first_sample)), rng, first_sample);
  }
  /// The two halves of this: one t for each of n samples, drawn on the host, as rows of a (5, n) tensor with t and the
  /// weights that noising takes from it; and the noising, with the next draw for the noise.
  Tensor<float> draw_timesteps(Index n, Rng& rng, std::uint64_t first_sample = 0) const;
  template <Real T, Device D>
  NoisedBatch<T, D> noised(const Tensor<float, D>& x0, const Tensor<float, D>& timesteps, Rng& rng,
                           std::uint64_t first_sample = 0) const;
  /// Throws Error for data without samples along the first axis.
  static Index samples_of(const Shape& data);

  /// The loss of `net` on a batch. `conditions`, such as class labels (N), are passed to it after x_t and t.
  template <Real T, Device D, class Net, class... Conditions>
  auto loss(const Net& net, const NoisedBatch<T, D>& batch, const Conditions&... conditions) const {
    return detail::network_loss("Ddpm", options.loss, net, batch, conditions...);
  }

  /// The same for data `x0`, with timesteps and noise from `rng`: one number, ready for backward().
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
STIPPLE_INLINE Loss loss_by_name(std::string_view name) {
  if (name == "l2") return Loss::l2;
  if (name == "l1") return Loss::l1;
  require(name == "huber", "loss: given '", name, "', wanted l1, l2 or huber");
  return Loss::huber;
}
#endif

template <Real T, Device D>
Var<accumulate_t<T>, D> prediction_loss(Loss kind, const Var<T, D>& prediction,
                                        const Tensor<accumulate_t<T>, D>& target) {
  switch (kind) {
    case Loss::l2:
      return mse_loss(prediction, target);
    case Loss::l1:
      return l1_loss(prediction, target);
    case Loss::huber:
      break;
  }
  return smooth_l1_loss(prediction, target);
}

}  // namespace stipple

namespace stipple::detail {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Index count_samples(const char* name, const Shape& data) {
  require(data.rank() >= 1 && data.size() > 0, name, ": given data of shape ", data,
          ", wanted samples along the first axis");
  return data[0];
}
#endif

template <Real T, Device D>
NoisedBatch<T, D> noised_by_rows(const char* name, const Tensor<float, D>& x0, const Tensor<float, D>& rows, Rng& rng,
                                 std::uint64_t first_sample, Prediction target) {
  Index const n = count_samples(name, x0.shape());
  require(rows.shape() == Shape{5, n}, name, ": given timesteps of shape ", rows.shape(), " for ", n,
          " samples, wanted (5, ", n, "), from draw_timesteps");
  auto const noise = draw_normal<D>(rng, x0.shape(), Purpose::noise, first_sample);
  NoisedBatch<T, D> batch;
  if constexpr (std::same_as<T, double>)
    batch.x_t = ops::cast<T>(mix_weighted<float>(x0, noise, rows.data() + n));
  else
    batch.x_t = mix_weighted<T>(x0, noise, rows.data() + n);
  batch.t = ops::cast<accumulate_t<T>>(rows.view(0, {n}));
  auto const wanted = target == Prediction::epsilon ? noise
                      : target == Prediction::x0    ? x0
                                                    : mix_weighted<float>(x0, noise, rows.data() + 3 * n);
  batch.target = ops::cast<accumulate_t<T>>(wanted);
  return batch;
}

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE Index Ddpm::samples_of(const Shape& data) { return detail::count_samples("Ddpm", data); }

STIPPLE_INLINE Tensor<float> Ddpm::draw_timesteps(Index n, Rng& rng, std::uint64_t first_sample) const {
  auto const t = rng.integers({n}, 0, schedule.num_train_timesteps(), Purpose::timestep, first_sample);
  Tensor<float> rows({5, n});  // t, weights of x_t, weights of the target
  for (Index i = 0; i < n; ++i) rows.data()[i] = static_cast<float>(t.data()[i]);
  detail::weigh_samples("Ddpm", schedule, t, detail::noising_form, rows.data() + n);
  auto const target = [this](double alpha, double sigma) { return target_form(options.prediction, alpha, sigma); };
  detail::weigh_samples("Ddpm", schedule, t, target, rows.data() + 3 * n);
  return rows;
}
#endif

template <Real T, Device D>
NoisedBatch<T, D> Ddpm::noised(const Tensor<float, D>& x0, const Tensor<float, D>& timesteps, Rng& rng,
                               std::uint64_t first_sample) const {
  return detail::noised_by_rows<T>("Ddpm", x0, timesteps, rng, first_sample, options.prediction);
}

#define STIPPLE_INSTANCES(T, D)                                                                                        \
  template Var<accumulate_t<T>, D> prediction_loss<T, D>(Loss, const Var<T, D>&, const Tensor<accumulate_t<T>, D>&);   \
  template NoisedBatch<T, D> detail::noised_by_rows<T, D>(const char*, const Tensor<float, D>&,                        \
                                                          const Tensor<float, D>&, Rng&, std::uint64_t, Prediction);   \
  template NoisedBatch<T, D> Ddpm::noised<T, D>(const Tensor<float, D>&, const Tensor<float, D>&, Rng&, std::uint64_t) \
      const;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
