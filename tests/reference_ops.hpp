// Reference vectors of single operations: tests/reference/ops, made with PyTorch in float64 from float32 inputs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include <stipple/io/json_log.hpp>
#include <stipple/io/safetensors.hpp>
#include <stipple/tensor/tensor.hpp>

#include "catch.hpp"
#include "check.hpp"

namespace reference {

/// (N, C, H, W), the files' layout, to (N, H, W, C).
template <class T>
stipple::Tensor<T> to_nhwc(const stipple::Tensor<T>& x) {
  REQUIRE(x.rank() == 4);
  stipple::Index const n = x.dim(0), c = x.dim(1), hw = x.dim(2) * x.dim(3);
  stipple::Tensor<T> y({n, x.dim(2), x.dim(3), c});
  for (stipple::Index i = 0; i < n; ++i)
    for (stipple::Index k = 0; k < c; ++k)
      for (stipple::Index p = 0; p < hw; ++p) y.data()[(i * hw + p) * c + k] = x.data()[(i * c + k) * hw + p];
  return y;
}
/// (N, H, W, C) to (N, C, H, W).
template <class T>
stipple::Tensor<T> to_nchw(const stipple::Tensor<T>& x) {
  REQUIRE(x.rank() == 4);
  stipple::Index const n = x.dim(0), hw = x.dim(1) * x.dim(2), c = x.dim(3);
  stipple::Tensor<T> y({n, c, x.dim(1), x.dim(2)});
  for (stipple::Index i = 0; i < n; ++i)
    for (stipple::Index k = 0; k < c; ++k)
      for (stipple::Index p = 0; p < hw; ++p) y.data()[(i * c + k) * hw + p] = x.data()[(i * hw + p) * c + k];
  return y;
}

/// tests/reference; on another machine than that of the build, where the environment says.
inline std::string folder() {
  auto const* const elsewhere = std::getenv("STIPPLE_TEST_REFERENCE");
  return elsewhere ? elsewhere : STIPPLE_TEST_REFERENCE_DIR;
}

/// The tensors of all cases, opened once.
inline const stipple::SafetensorsFile& tensors() {
  static const stipple::SafetensorsFile file(folder() + "/ops/ops.safetensors");
  return file;
}
/// ops.json: what each case is.
inline const stipple::Json& index() {
  static const auto json = stipple::read_json(folder() + "/ops/ops.json");
  return json;
}

/// One case: tensors "in.ARG", "out", "grad_out" (the gradient of the output), "grad.ARG".
struct Case {
  std::string name;
  const stipple::Json* entry;

  bool has(const std::string& key) const { return tensors().contains(name + "." + key); }
  /// Tensor `key`, for example "in.x", as stored.
  template <class T = float>
  stipple::Tensor<T> tensor(const std::string& key) const {
    return tensors().read<T>(name + "." + key);
  }
  /// An image tensor as (N, H, W, C).
  template <class T = float>
  stipple::Tensor<T> image(const std::string& key) const {
    return to_nhwc(tensor<T>(key));
  }
  /// Class labels or token numbers, stored as int64.
  stipple::Tensor<std::int32_t> labels(const std::string& key) const { return tensor<std::int32_t>(key); }
  /// Parameter of the operation, such as "stride"; `otherwise` where the case does not give it.
  double number(const std::string& key, double otherwise = std::numeric_limits<double>::quiet_NaN()) const {
    return params().value(key, otherwise);
  }
  int integer(const std::string& key, int otherwise = 0) const { return static_cast<int>(number(key, otherwise)); }
  bool flag(const std::string& key, bool otherwise = false) const { return params().value(key, otherwise); }
  std::string text(const std::string& key) const { return params().at(key).get<std::string>(); }
  const stipple::Json& params() const { return entry->at("params"); }

  /// Allowed error of `key` ("out", "grad.x"): ten times what PyTorch's own float32 showed, or `ulps` units in the
  /// last place of the largest magnitude in `expected`, whichever is larger.
  template <class T>
  double tolerance(const std::string& key, const stipple::Tensor<T>& expected, double ulps = 4) const {
    double largest = 0;
    for (auto const value : expected.span()) largest = std::max(largest, std::abs(static_cast<double>(value)));
    double const recorded = entry->at("torch_f32_max_abs_err").value(key, 0.0);
    return std::max(10 * recorded, ulps * largest * 0x1p-23);
  }
};

/// Every case of operation `op` ("conv2d"). Cases added to the files are picked up; having none is a failure.
inline std::vector<Case> cases(const std::string& op) {
  std::vector<Case> result;
  for (auto const& [name, entry] : index().at("cases").items())
    if (entry.value("op", "") == op) result.push_back({name, &entry});
  INFO("reference cases of " << op);
  REQUIRE_FALSE(result.empty());
  return result;
}

/// Compares with tensor `key` of a case at its tolerance. An image is compared in (N, H, W, C).
template <class T>
void check_tensor(const Case& c, const std::string& key, const stipple::Tensor<T>& given, double ulps = 4) {
  auto const expected = c.tensor(key).reshape(given.shape());
  INFO(c.name << " " << key);
  CHECK(max_abs_difference(given, expected) <= c.tolerance(key, expected, ulps));
}
template <class T>
void check_image(const Case& c, const std::string& key, const stipple::Tensor<T>& given, double ulps = 4) {
  auto const expected = c.image(key);
  INFO(c.name << " " << key);
  CHECK(max_abs_difference(given, expected) <= c.tolerance(key, expected, ulps));
}

}  // namespace reference
