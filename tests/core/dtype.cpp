// bf16 against rounding done in double, over every bit pattern.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <stipple/core/dtype.hpp>

#include "catch.hpp"

using stipple::bf16;

namespace {

bf16 from_bits(std::uint32_t bits) {
  bf16 value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

bool is_nan(std::uint32_t bits) { return (bits & 0x7f80u) == 0x7f80u && (bits & 0x7fu) != 0; }

// The number a bf16 pattern without its sign stands for; infinity counts as 2^128, the next step of the scale.
double magnitude(std::uint32_t bits) {
  int const exponent = static_cast<int>(bits >> 7);
  int const fraction = static_cast<int>(bits & 0x7fu);
  return exponent == 0 ? std::ldexp(fraction, -133) : std::ldexp(128 + fraction, exponent - 134);
}

}  // namespace

TEST_CASE("bf16: every pattern survives the way through float and back") {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    float const value = static_cast<float>(from_bits(bits));
    if (is_nan(bits))
      wrong += !std::isnan(value) || !is_nan(bf16(value).bits) || (bf16(value).bits >> 15) != bits >> 15;
    else
      wrong += bf16(value).bits != bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16: patterns stand for the numbers of the format") {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x7f80u; ++bits) {
    wrong += static_cast<double>(from_bits(bits)) != magnitude(bits);
    wrong += static_cast<double>(from_bits(bits | 0x8000u)) != -magnitude(bits);
  }
  CHECK(wrong == 0);
  CHECK(std::isinf(static_cast<float>(from_bits(0x7f80u))));
}

TEST_CASE("bf16: a float rounds to the nearest pattern, ties to even") {
  int wrong = 0;
  for (std::uint32_t upper = 0; upper < 0x7f80u; ++upper) {
    for (std::uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      float const value = std::bit_cast<float>(upper << 16 | lower);
      double const below = value - magnitude(upper), above = magnitude(upper + 1) - value;
      bool const up = above < below || (above == below && upper % 2 == 1);
      std::uint32_t const wanted = upper + (up ? 1 : 0);
      wrong += bf16(value).bits != wanted;
      wrong += bf16(-value).bits != (wanted | 0x8000u);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16: values beyond the range become infinity, NaN stays NaN") {
  CHECK(bf16(std::numeric_limits<float>::max()).bits == 0x7f80u);
  CHECK(bf16(-std::numeric_limits<float>::infinity()).bits == 0xff80u);
  for (std::uint32_t payload : {1u, 0x7fffu, 0xffffu, 0x10000u, 0x400000u, 0x7fffffu})
    CHECK(is_nan(bf16(std::bit_cast<float>(0x7f800000u | payload)).bits));
}

TEST_CASE("bf16: equality is that of the numbers") {
  CHECK(bf16(0.0f) == bf16(-0.0f));
  CHECK(bf16(1) == bf16(1.0));
  CHECK_FALSE(bf16(std::nanf("")) == bf16(std::nanf("")));
  CHECK_FALSE(bf16(1.0f) == from_bits(0x3f81u));
}

TEST_CASE("element types have the names used in files and messages") {
  CHECK(std::string(stipple::dtype_name<float>()) == "float32");
  CHECK(std::string(stipple::dtype_name<double>()) == "float64");
  CHECK(std::string(stipple::dtype_name<bf16>()) == "bfloat16");
  CHECK(std::string(stipple::dtype_name<std::int32_t>()) == "int32");
  CHECK(std::string(stipple::dtype_name<std::int64_t>()) == "int64");
  CHECK(std::string(stipple::dtype_name<std::uint8_t>()) == "uint8");
  CHECK(std::same_as<stipple::accumulate_t<bf16>, float>);
  CHECK(std::same_as<stipple::accumulate_t<float>, float>);
  CHECK(std::same_as<stipple::accumulate_t<double>, double>);
}
