#include <stipple/core/philox.hpp>

#include "catch.hpp"

using namespace stipple;

TEST_CASE("Philox4x32-10 gives the known answers of its authors", "[philox]") {
  // Random123, kat_vectors.
  CHECK(philox({0, 0, 0, 0}, 0, 0) == PhiloxWords{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) == PhiloxWords{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(philox({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u) ==
        PhiloxWords{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("Philox can be evaluated at compile time", "[philox]") {
  constexpr auto words = philox({0, 0, 0, 0}, 0, 0);
  static_assert(words[0] == 0x6627e8d5u);
  static_assert(uniform_from_word(~0u) < 1.0f);
  static_assert(uniform_from_word(0) == 0.0f);
  CHECK(words[3] == 0x9b00dbd8u);
}

TEST_CASE("normals from words follow the formula of Box and Muller", "[philox]") {
  double worst = 0;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    auto const w = philox({i, 1, 2, 3}, 4, 5);
    for (std::size_t k : {0u, 2u}) {
      auto const [a, b] = normals_from_words(w[k], w[k + 1]);
      double const u = (static_cast<double>(w[k] >> 8) + 1) * 0x1p-24;
      double const radius = std::sqrt(-2 * std::log(u)), angle = 2 * 3.14159265358979323846 * w[k + 1] * 0x1p-32;
      worst = std::max({worst, std::abs(a - radius * std::cos(angle)), std::abs(b - radius * std::sin(angle))});
    }
  }
  CHECK(worst < 1e-6);
}

TEST_CASE("normals are finite at the ends of the range of the words", "[philox]") {
  for (std::uint32_t first : {0u, 0xffu, 0x100u, 0x7fffffffu, 0x80000000u, ~0u})
    for (std::uint32_t second :
         {0u, 0x1fffffffu, 0x20000000u, 0x3fffffffu, 0x40000000u, 0x80000000u, 0xdfffffffu, 0xe0000000u, ~0u})
      for (float x : normals_from_words(first, second)) {
        CHECK(std::isfinite(x));
        CHECK(std::abs(x) <= 5.7682f);  // sqrt(-2 ln 2^-24)
      }
  CHECK(normals_from_words(0, 0)[0] == Approx(5.768109));
  CHECK(normals_from_words(~0u, 0x40000000u)[0] == 0.0f);
}
