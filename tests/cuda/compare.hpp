// An operation on the GPU against the same operation on the CPU.
#pragma once

#include <cstring>

#include <stipple/cuda.hpp>
#include <stipple/tensor/rng.hpp>
#include <stipple/tensor/tensor.hpp>

#include "check.hpp"
#include "exact_products.hpp"
#include "orders.hpp"

/// Numbers around zero, in T.
template <class T>
stipple::Tensor<T> random_tensor(const stipple::Shape& shape, std::uint64_t seed) {
  stipple::Rng rng(seed);
  auto const normals = rng.normal(shape);
  stipple::Tensor<T> x(shape);
  for (std::size_t i = 0; i < x.span().size(); ++i) x.span()[i] = static_cast<T>(2 * normals.span()[i]);
  return x;
}

/// Places where bf16 rounding may differ by its last bit, and float by a few.
template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 2e-6 : 8e-3;

/// Requires |a - b| <= tolerance (1 + |b|) everywhere; NaN and infinities stand where they do in b.
template <class T>
void require_close(const stipple::Tensor<T, stipple::Cuda>& a, const stipple::Tensor<T>& b,
                   double within = tolerance<T>) {
  auto const host = stipple::to<stipple::Cpu>(a);
  REQUIRE(host.shape() == b.shape());
  for (std::size_t i = 0; i < b.span().size(); ++i) {
    auto const x = static_cast<double>(host.span()[i]), y = static_cast<double>(b.span()[i]);
    bool const close = x == y || (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= within * (1 + std::abs(y));
    if (!close) FAIL("element " << i << ": given " << x << ", wanted " << y);
  }
}

/// Requires the same bits.
template <class T>
void require_same(const stipple::Tensor<T, stipple::Cuda>& a, const stipple::Tensor<T>& b) {
  auto const host = stipple::to<stipple::Cpu>(a);
  REQUIRE(host.shape() == b.shape());
  REQUIRE(std::memcmp(host.data(), b.data(), b.span().size_bytes()) == 0);
}

/// Elements of a tensor that does not begin at a multiple of 16 bytes.
template <class T>
stipple::Tensor<T, stipple::Cuda> displaced(const stipple::Tensor<T>& x) {
  stipple::Tensor<T, stipple::Cuda> room({x.size() + 1}, T(0));
  auto y = room.view(1, x.shape());
  y.copy_from(stipple::to<stipple::Cuda>(x));
  return y;
}
