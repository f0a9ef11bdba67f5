// Element types: float, double (CPU, for tests), bf16 and the integers of labels and images.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

namespace stipple {

/// bfloat16: the upper half of an IEEE binary32, rounded to nearest even. Storage only; arithmetic is done in float.
struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float value) {
    auto const u = std::bit_cast<std::uint32_t>(value);
    bool const nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16 | 0x40u) : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
  }
  explicit bf16(double value) : bf16(static_cast<float>(value)) {}
  explicit bf16(int value) : bf16(static_cast<float>(value)) {}
  explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
  explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
  friend bool operator==(bf16 a, bf16 b) { return static_cast<float>(a) == static_cast<float>(b); }
};

/// Types that networks compute in.
template <class T>
concept Real = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, bf16>;

/// Types that a tensor can hold.
template <class T>
concept Element =
    Real<T> || std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t> || std::same_as<T, std::uint8_t>;

namespace detail {
template <class T>
struct Accumulate {
  using type = float;
};
template <>
struct Accumulate<double> {
  using type = double;
};
}  // namespace detail

/// The type in which sums, statistics, losses, gradients of parameters and master weights of a T network are kept:
/// float for float and bf16, double for double.
template <Real T>
using accumulate_t = typename detail::Accumulate<T>::type;

/// Name of an element type in messages and configuration.
template <Element T>
constexpr const char* dtype_name() {
  if constexpr (std::same_as<T, float>) return "float32";
  if constexpr (std::same_as<T, double>) return "float64";
  if constexpr (std::same_as<T, bf16>) return "bfloat16";
  if constexpr (std::same_as<T, std::int32_t>) return "int32";
  if constexpr (std::same_as<T, std::int64_t>) return "int64";
  return "uint8";
}

}  // namespace stipple
