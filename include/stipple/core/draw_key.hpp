// What identifies a draw of random numbers.
#pragma once

#include <stipple/core/philox.hpp>

namespace stipple {

/// What a random number is for. Numbers of different purposes are independent under the same seed.
enum class Purpose : std::uint32_t { initialise, data, shuffle, flip, timestep, noise, sample, dropout, label, user };

/// Identifies one draw: the Philox key and the draw number.
struct DrawKey {
  std::uint32_t key0 = 0, key1 = 0;
  std::uint32_t draw = 0;

  DrawKey(std::uint64_t seed, Purpose purpose, std::uint64_t draw_number)
      : draw(static_cast<std::uint32_t>(draw_number)) {
    // The upper bits of the draw number enter the key, so draws beyond 2^32 differ too.
    auto const mixed = philox({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                               static_cast<std::uint32_t>(purpose), static_cast<std::uint32_t>(draw_number >> 32)},
                              0x73746970u, 0x706c6521u);
    key0 = mixed[0];
    key1 = mixed[1];
  }
  /// The four words of elements 4 block .. 4 block + 3 of a sample.
  constexpr PhiloxWords words(std::uint64_t sample, std::uint64_t block) const {
    return philox({static_cast<std::uint32_t>(block), draw, static_cast<std::uint32_t>(sample),
                   static_cast<std::uint32_t>(sample >> 32)},
                  key0, key1);
  }
};

}  // namespace stipple
