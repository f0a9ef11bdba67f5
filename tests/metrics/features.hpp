// Feature matrices of the reference cases: tests/reference/metrics/features.json.
#pragma once

#include <string>

#include <stipple/io/json_log.hpp>
#include <stipple/io/safetensors.hpp>

#include "check.hpp"

namespace features {

inline const stipple::SafetensorsFile& tensors() {
  static const stipple::SafetensorsFile file(STIPPLE_TEST_REFERENCE_DIR "/metrics/features.safetensors");
  return file;
}
inline const stipple::Json& cases() {
  static const auto json = stipple::read_json(STIPPLE_TEST_REFERENCE_DIR "/metrics/features.json");
  return json.at("cases");
}
inline double value(const std::string& name, const std::string& key) { return cases().at(name).at(key).get<double>(); }

/// The first n vectors of side 1 or 2 of a case that is generated: splitmix64 of the element, squared and tilted.
inline stipple::Tensor<float> generated(const stipple::Json& c, const std::string& side, stipple::Index n) {
  stipple::Index const d = c.at("d").get<stipple::Index>();
  double const a = c.at("a" + side).get<double>(), b = c.at("b" + side).get<double>();
  auto const seed = c.at("seed" + side).get<std::uint64_t>();
  stipple::Tensor<float> x({n, d});
  for (stipple::Index k = 0; k < x.size(); ++k) {
    std::uint64_t z = seed + (static_cast<std::uint64_t>(k) + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    double const u = static_cast<double>(z >> 11) * 0x1p-53;
    auto const j = static_cast<double>(k % d % 7), i = static_cast<double>(k % d % 5);
    x.data()[k] = static_cast<float>(a * u * u * (1 + j / 7) + b * i / 5);
  }
  return x;
}

}  // namespace features
