// Classifiers of images against torchvision: tests/reference/classifiers, made by make.py there from weights that are a
// formula of name and position.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include <stipple/io/safetensors.hpp>
#include <stipple/io/weights.hpp>

#include "check.hpp"
#include "reference_ops.hpp"

namespace classifier {

using stipple::Index;
using stipple::Shape;
using stipple::Tensor;

inline Tensor<float> stored(const std::string& name) {
  static const stipple::SafetensorsFile file(reference::folder() + "/classifiers/classifiers.safetensors");
  return file.read<float>(name);
}

/// Numbers in [0, 1): splitmix64 from the 64-bit FNV-1a hash of the name.
class Uniform {
 public:
  explicit Uniform(std::string_view name) {
    for (char const c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  }
  double next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return static_cast<double>(z >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325u;
};

/// A parameter or buffer of this name and shape in files.
inline Tensor<float> weight(const std::string& name, const Shape& shape) {
  Tensor<float> values(shape);
  Uniform numbers(name);
  auto const fan_in = static_cast<double>(shape.rank() > 1 ? shape.count(1, shape.rank()) : 1);
  double const bound = std::sqrt((shape.rank() == 4 ? 6 : 3) / fan_in);
  for (float& value : values.span()) {
    double const u = numbers.next(), sign = 2 * u - 1;
    double result = 0;
    if (shape.rank() > 1)
      result = sign * bound;
    else if (name.ends_with("running_var"))
      result = 0.5 + u;
    else if (name.ends_with("weight"))
      result = 0.75 + 0.5 * u;
    else
      result = sign * (name.ends_with("running_mean") ? 0.1 : 0.2);
    value = static_cast<float>(result);
  }
  return values;
}

/// Gives all weights of a network of floats on D these values.
template <stipple::Device D = stipple::Cpu, class Net>
void fill(Net& net) {
  for (auto const& [name, value, layout] : stipple::detail::weights_of(stipple::leaves_of<D>(net))) {
    auto here = std::get<Tensor<float, D>>(value);
    Tensor<float> host(here.shape());
    from_file_layout(weight(name, file_shape(here.shape(), layout)), layout, host);
    here.copy_from(stipple::to<D>(host));
  }
}

/// The images of the reference: (N, H, W, 3) in [-1, 1].
inline Tensor<float> images(Index n, Index height, Index width) {
  Tensor<float> stored({n, 3, height, width});
  Uniform numbers("images");
  for (float& value : stored.span()) value = static_cast<float>(2 * numbers.next() - 1);
  return reference::to_nhwc(stored);
}

/// Relative to the largest wanted number.
inline void check_near(const Tensor<float>& given, const Tensor<float>& wanted, double tolerance) {
  double largest = 0;
  for (float const value : wanted.span()) largest = std::max(largest, static_cast<double>(std::abs(value)));
  CHECK(max_abs_difference(given, wanted) <= tolerance * largest);
}

/// Shape, mean and root of the mean square of what stage `i` of the network makes, (N, H, W, C).
inline void check_stage(const std::string& network, Index i, const Tensor<float>& made) {
  auto const stages = stored(network + ".stages");
  INFO("stage " << i << " of " << network);
  REQUIRE(i < stages.dim(0));
  const float* const wanted = stages.data() + i * 5;
  CHECK(made.shape() == Shape{made.dim(0), static_cast<Index>(wanted[1]), static_cast<Index>(wanted[2]),
                              static_cast<Index>(wanted[0])});
  double sum = 0, squares = 0;
  for (float const value : made.span()) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  auto const n = static_cast<double>(made.size());
  auto const rms = static_cast<double>(wanted[4]);
  CHECK(std::abs(sum / n - static_cast<double>(wanted[3])) <= 2e-5 * rms);
  CHECK(std::abs(std::sqrt(squares / n) - rms) <= 2e-5 * rms);
}

}  // namespace classifier
