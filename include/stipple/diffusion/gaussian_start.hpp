// Where sampling starts when the noise schedule does not end in noise alone.
#pragma once

#include <cstdint>

#include <stipple/core/compiled.hpp>
#include <stipple/diffusion/schedule.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// The Gaussian with the mean and the covariance of data noised to the last timestep, to start samplers from.
///
/// Where abar of the last timestep is not near 0, the network was trained on inputs that still hold something of the
/// data, most of all its mean. Started from noise, of mean 0, it takes that for data of another mean: images come out
/// too bright and blotchy (Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps Are Flawed", section 3).
/// With these moments what is missing at the start is only what a Gaussian cannot say.
class GaussianStart {
 public:
  /// Keeps `data` (N, ...), as the network is trained on it, less its mean. Some thousands of samples are enough.
  /// Throws Error for no data.
  GaussianStart(const Schedule& schedule, const Tensor<float>& data);

  /// `count` starts: sqrt(abar) (mean + sum_k w_k (data_k - mean) / sqrt(N)) + sqrt(1 - abar) noise, with normal w,
  /// whose covariance is that of the data. Start i depends on `rng` and first_sample + i alone; takes two draws.
  Tensor<float> draw(Index count, Rng& rng, std::uint64_t first_sample = 0) const;

 private:
  double signal_, noise_;
  Shape shape_;                     // of the data
  Tensor<float> mean_, deviation_;  // (elements of a sample), (N, elements)
};

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion) && STIPPLE_DEFINES_FUNCTIONS

#include <cmath>
#include <vector>

#include <stipple/diffusion/noise.hpp>
#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/matmul.hpp>

namespace stipple {

STIPPLE_INLINE GaussianStart::GaussianStart(const Schedule& schedule, const Tensor<float>& data)
    : signal_(std::sqrt(schedule.alphas_cumprod.back())),
      noise_(std::sqrt(1 - schedule.alphas_cumprod.back())),
      shape_(data.shape()) {
  require(data.defined() && data.rank() >= 2 && data.size() > 0, "GaussianStart: given data of shape ", data.shape(),
          ", wanted samples along the first axis");
  Index const n = data.dim(0), features = data.size() / n;
  std::vector<double> sums(static_cast<std::size_t>(features));
  for (Index i = 0; i < data.size(); ++i) sums[static_cast<std::size_t>(i % features)] += data.data()[i];
  mean_ = Tensor<float>({features});
  for (Index p = 0; p < features; ++p)
    mean_.data()[p] = static_cast<float>(sums[static_cast<std::size_t>(p)] / static_cast<double>(n));
  deviation_ = ops::subtract(data.reshape({n, features}), mean_);
}

STIPPLE_INLINE Tensor<float> GaussianStart::draw(Index count, Rng& rng, std::uint64_t first_sample) const {
  require(count > 0, "GaussianStart: given a count of ", count, ", wanted at least 1");
  Index const n = deviation_.dim(0), features = deviation_.dim(1);
  auto const noise = draw_normal(rng, {count, features}, Purpose::user, first_sample);
  auto const weights = draw_normal(rng, {count, n}, Purpose::user, first_sample);
  auto x = ops::matmul(weights, deviation_);
  float const scale = static_cast<float>(signal_ / std::sqrt(static_cast<double>(n)));
  for (Index i = 0; i < x.size(); ++i)
    x.data()[i] = scale * x.data()[i] + static_cast<float>(signal_) * mean_.data()[i % features] +
                  static_cast<float>(noise_) * noise.data()[i];
  return x.reshape(shape_.with(0, count));
}

}  // namespace stipple

#endif
