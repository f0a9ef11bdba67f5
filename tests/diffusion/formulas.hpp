// Reference vectors of the course formulas: tests/reference/courses.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include <stipple/io/json_log.hpp>
#include <stipple/io/safetensors.hpp>

#include "check.hpp"

namespace formulas {

inline const stipple::SafetensorsFile& tensors() {
  static const stipple::SafetensorsFile file(STIPPLE_TEST_REFERENCE_DIR "/courses/formulas.safetensors");
  return file;
}
inline const stipple::Json& index() {
  static const auto json = stipple::read_json(STIPPLE_TEST_REFERENCE_DIR "/courses/formulas.json");
  return json;
}

/// The float64 result, which is only stored where it differs from the float32 one.
inline stipple::Tensor<double> truth(const std::string& key) {
  return tensors().read<double>(tensors().contains(key + "|f64") ? key + "|f64" : key);
}
/// An input, exact in float32.
template <class T>
stipple::Tensor<T> input(const std::string& key) {
  return tensors().read<T>(key);
}
/// Allowed error of a float program: ten times that of PyTorch's own float32 against float64.
inline double float_tolerance(const std::string& key) {
  auto const& recorded = index().at("float32_vs_float64");
  return recorded.contains(key) ? 10 * recorded.at(key).at("max_abs").get<double>() : 1e-7;
}

/// Compares with KEY: double within 1e-9 of the largest magnitude, float within its tolerance.
template <class T>
void check(const std::string& key, const stipple::Tensor<T>& given) {
  auto const expected = truth(key);
  double largest = 0;
  for (double const value : expected.span()) largest = std::max(largest, std::abs(value));
  double const tolerance = std::is_same_v<T, double> ? 1e-9 * largest : float_tolerance(key);
  INFO(key << ", allowed " << tolerance);
  CHECK(max_abs_difference(given, expected) <= tolerance);
}

}  // namespace formulas
