// Checks that many tests share: the sentence of an error, and the distance between two arrays.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <stipple/core/error.hpp>
#include <stipple/tensor/tensor.hpp>

#include "catch.hpp"

/// Calls f and requires that it throws stipple::Error with `wanted` in its text.
template <class F>
void require_error(const F& f, std::string_view wanted) {
  INFO("wanted an Error with \"" << std::string(wanted) << "\" in its text");
  try {
    f();
  } catch (const stipple::Error& error) {
    std::string const text = error.what();
    INFO("given \"" << text << "\"");
    REQUIRE(text.find(wanted) != std::string::npos);
    return;
  }
  FAIL("nothing was thrown");
}

/// max |a - b| in double. Infinity where a number stands against a NaN, or against another infinity; equal infinities
/// and two NaNs count as 0, so that a comparison with `<` fails whenever the arrays differ in kind.
template <class A, class B>
double max_abs_difference(std::span<const A> a, std::span<const B> b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double const x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    double const difference = std::abs(x - y);
    if (!(difference <= largest))
      largest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
  }
  return largest;
}

/// The same for tensors, which must have one shape.
template <class A, class B>
double max_abs_difference(const stipple::Tensor<A>& a, const stipple::Tensor<B>& b) {
  INFO("shapes " << to_text(a.shape()) << " and " << to_text(b.shape()));
  REQUIRE(a.shape() == b.shape());
  return max_abs_difference<A, B>(a.span(), b.span());
}
