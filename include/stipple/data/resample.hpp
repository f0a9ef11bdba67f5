// Images at another size, by filters that average where they shrink.
#pragma once

#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The filter around each new pixel. Where the image shrinks it is as much wider as the image gets smaller.
enum class Resampling {
  bilinear,  ///< a triangle over 2 pixels
  bicubic,   ///< Keys 1981 with a = -1/2, over 4
  lanczos,   ///< sinc(x) sinc(x / 3), over 6
};

/// "bilinear", "bicubic" or "lanczos".
STIPPLE_INLINE Resampling resampling_by_name(std::string_view name);

/// The image (H, W, C) as (height, width, C): first the rows, then the columns, rounded to 8 bits after each, with
/// weights of 22 fractional bits. These are the pixels of `Image.resize` in Pillow 3.3 to 12, and of torchvision's
/// `Resize` for images of Pillow. Throws Error for an image without pixels and for sizes that are not 1 to 65,536.
STIPPLE_INLINE Tensor<std::uint8_t> resampled(const Tensor<std::uint8_t>& image, Index height, Index width,
                                              Resampling filter = Resampling::bilinear);

}  // namespace stipple

#if STIPPLE_DEFINES(data)

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace stipple {

STIPPLE_INLINE Resampling resampling_by_name(std::string_view name) {
  if (name == "bilinear") return Resampling::bilinear;
  if (name == "bicubic") return Resampling::bicubic;
  require(name == "lanczos", "resampling: given '", name, "', wanted bilinear, bicubic or lanczos");
  return Resampling::lanczos;
}

}  // namespace stipple

namespace stipple::detail {

inline double filter_radius(Resampling filter) {
  return filter == Resampling::bilinear ? 1 : filter == Resampling::bicubic ? 2 : 3;
}

inline double filter_value(Resampling filter, double x) {
  auto const sinc = [](double u) { return u == 0 ? 1 : std::sin(std::numbers::pi * u) / (std::numbers::pi * u); };
  if (filter == Resampling::lanczos) return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  x = std::abs(x);
  if (filter == Resampling::bilinear) return x < 1 ? 1 - x : 0;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

/// One new pixel: the weighted sum of `weights.size()` old ones from `first` on.
struct ResampledPixel {
  static constexpr int fractional_bits = 22;

  Index first = 0;
  std::vector<std::int32_t> weights;

  ResampledPixel(Index at, Index from_size, Index to_size, Resampling filter) {
    double const scale = static_cast<double>(from_size) / static_cast<double>(to_size);
    double const stretch = std::max(scale, 1.0), radius = filter_radius(filter) * stretch;
    double const center = (static_cast<double>(at) + 0.5) * scale;
    first = std::max<Index>(0, static_cast<Index>(center - radius + 0.5));
    Index const end = std::min(from_size, static_cast<Index>(center + radius + 0.5));
    std::vector<double> exact;
    double sum = 0;
    for (Index i = first; i < end; ++i) {
      exact.push_back(filter_value(filter, (static_cast<double>(i) - center + 0.5) * (1 / stretch)));
      sum += exact.back();
    }
    for (double const value : exact)
      weights.push_back(static_cast<std::int32_t>(std::round(value / sum * (1 << fractional_bits))));
  }
};

/// (rows, from_size, step) -> (rows, pixels.size(), step)
STIPPLE_INLINE void resample_axis(const std::uint8_t* from, std::uint8_t* to, Index rows, Index from_size, Index step,
                                  const std::vector<ResampledPixel>& pixels) {
  constexpr int bits = ResampledPixel::fractional_bits;
  std::vector<std::int32_t> sums(static_cast<std::size_t>(step));
  for (Index row = 0; row < rows; ++row) {
    for (auto const& pixel : pixels) {
      std::fill(sums.begin(), sums.end(), 1 << (bits - 1));
      const std::uint8_t* values = from + (row * from_size + pixel.first) * step;
      for (std::int32_t const weight : pixel.weights) {
        for (auto& sum : sums) sum += weight * *values++;
      }
      for (std::int32_t const sum : sums) *to++ = static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
    }
  }
}

inline std::vector<ResampledPixel> resampled_pixels(Index from_size, Index to_size, Resampling filter) {
  std::vector<ResampledPixel> pixels;
  for (Index i = 0; i < to_size; ++i) pixels.emplace_back(i, from_size, to_size, filter);
  return pixels;
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_INLINE Tensor<std::uint8_t> resampled(const Tensor<std::uint8_t>& image, Index height, Index width,
                                              Resampling filter) {
  constexpr Index most = 1 << 16;
  require(image.defined() && image.rank() == 3 && image.size() > 0, "resampled: given shape ", image.shape(),
          ", wanted pixels (H, W, C)");
  require(1 <= height && height <= most && 1 <= width && width <= most, "resampled: given ", height, " x ", width,
          ", wanted 1 to ", most);
  Tensor<std::uint8_t> result = image;
  if (Index const from = result.dim(1); from != width) {
    Tensor<std::uint8_t> rows(result.shape().with(1, width));
    detail::resample_axis(result.data(), rows.data(), result.dim(0), from, result.dim(2),
                          detail::resampled_pixels(from, width, filter));
    result = rows;
  }
  if (Index const from = result.dim(0); from != height) {
    Tensor<std::uint8_t> columns(result.shape().with(0, height));
    detail::resample_axis(result.data(), columns.data(), 1, from, result.dim(1) * result.dim(2),
                          detail::resampled_pixels(from, height, filter));
    result = columns;
  }
  return result;
}

}  // namespace stipple

#endif
