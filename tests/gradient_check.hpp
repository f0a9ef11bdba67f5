// Gradients against central differences, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <stipple/autograd/var.hpp>
#include <stipple/tensor/rng.hpp>

#include "catch.hpp"

struct GradientCheck {
  double step = 1e-5;        ///< h of (L(x + h) - L(x - h)) / 2h, times max(1, |x|)
  double tolerance = 1e-7;   ///< of the difference, relative to max(1, the largest gradient of that input)
  std::uint64_t seed = 1;    ///< of the gradient of the output
  std::int64_t stride = 1;   ///< every stride-th element is checked
  double kink_margin = 0.0;  ///< elements closer to zero than this are passed over, for functions with a kink there
};

namespace detail {
/// sum of seed * f(inputs)
template <class F>
double weighted_sum(const F& f, const std::vector<stipple::Tensor<double>>& inputs,
                    const stipple::Tensor<double>& seed) {
  stipple::NoGrad const no_grad;
  std::vector<stipple::Var<double>> const vars(inputs.begin(), inputs.end());
  auto const y = f(vars).value();
  REQUIRE(y.shape() == seed.shape());
  double total = 0;
  for (stipple::Index i = 0; i < y.size(); ++i) total += y.data()[i] * seed.data()[i];
  return total;
}
}  // namespace detail

/// Checks the gradients of `f`, which maps a vector of Var<double> to a Var<double> of any shape, at `inputs`: the
/// gradient of sum(seed * f), with a fixed random seed, against central differences. Reports the worst element of
/// each input.
template <class F>
void check_gradients(const F& f, const std::vector<stipple::Tensor<double>>& inputs, GradientCheck options = {}) {
  using stipple::Index;
  std::vector<stipple::Var<double>> leaves;
  for (auto const& input : inputs) leaves.emplace_back(input.clone(), true);
  auto const y = f(leaves);
  stipple::Rng rng(options.seed);
  auto const seed = stipple::ops::cast<double>(rng.normal(y.shape()));
  y.backward(seed);

  std::vector<stipple::Tensor<double>> moved;
  for (auto const& input : inputs) moved.push_back(input.clone());
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    REQUIRE(leaves[k].grad().shape() == inputs[k].shape());
    const double* const gradient = leaves[k].grad().data();
    double* const x = moved[k].data();
    double scale = 1, worst = 0, worst_numeric = 0;
    Index worst_at = 0;
    for (Index i = 0; i < inputs[k].size(); ++i) scale = std::max(scale, std::abs(gradient[i]));
    for (Index i = 0; i < inputs[k].size(); i += options.stride) {
      double const before = x[i], h = options.step * std::max(1.0, std::abs(before));
      if (std::abs(before) < options.kink_margin) continue;
      x[i] = before + h;
      double const above = detail::weighted_sum(f, moved, seed);
      x[i] = before - h;
      double const below = detail::weighted_sum(f, moved, seed);
      x[i] = before;
      double const numeric = (above - below) / (2 * h);
      double const error = std::abs(gradient[i] - numeric) / scale;
      if (!(error <= worst)) {  // also true for NaN, which then stays
        worst = error;
        worst_at = i;
        worst_numeric = numeric;
        if (std::isnan(error)) break;
      }
    }
    INFO("input " << k << " of shape " << to_text(inputs[k].shape()) << ", element " << worst_at << ": gradient "
                  << gradient[worst_at] << ", central difference " << worst_numeric);
    CHECK(worst <= options.tolerance);
  }
}
