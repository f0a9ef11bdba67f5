// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and the maps from its words to
// uniform and normal numbers. Counter-based: a number is a function of its key and position, with no state.
// Host and device compile this text; it uses only correctly rounded operations and explicit fused multiply-adds, so
// both give the same bits.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include <stipple/core/host_device.hpp>

namespace stipple {

using PhiloxWords = std::array<std::uint32_t, 4>;

/// Ten rounds on a 128-bit counter with a 64-bit key.
constexpr PhiloxWords philox(PhiloxWords c, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const p0 = std::uint64_t{0xD2511F53u} * c[0];
    std::uint64_t const p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key1, static_cast<std::uint32_t>(p0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

/// Uniform in [0, 1): the upper 24 bits.
constexpr float uniform_from_word(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

/// Two independent standard normals from two words, by Box and Muller 1958. Uses u = (w + 1) 2^-24 in (0, 1] with
/// the upper 24 bits w of the first, so that the logarithm is finite; the largest magnitude is 5.77.
STIPPLE_HOST_DEVICE inline std::array<float, 2> normals_from_words(std::uint32_t first, std::uint32_t second) {
  // ln u = e ln 2 + 2 atanh((m - 1) / (m + 1)) with u = m 2^e, m in [sqrt(1/2), sqrt 2).
  float const u = (static_cast<float>(first >> 8) + 1.0f) * 0x1p-24f;
  std::uint32_t const bits = std::bit_cast<std::uint32_t>(u);
  std::int32_t const shifted = static_cast<std::int32_t>(bits) - 0x3f3504f3;  // sqrt(1/2)
  std::int32_t const e = shifted >> 23;
  float const m = std::bit_cast<float>((static_cast<std::uint32_t>(shifted) & 0x007fffffu) + 0x3f3504f3u);
  float const s = (m - 1.0f) / (m + 1.0f);
  float const s2 = s * s;
  float p = 2.0f / 9;
  p = std::fmaf(p, s2, 2.0f / 7);
  p = std::fmaf(p, s2, 2.0f / 5);
  p = std::fmaf(p, s2, 2.0f / 3);
  float const log_m = std::fmaf(p * s2, s, 2.0f * s);
  float const log_u = std::fmaf(static_cast<float>(e), 0.693147181f, log_m);
  float const radius = std::sqrt(-2.0f * log_u);
  // The angle is second / 2^32 turns: octant-centred fraction f in [-1/8, 1/8) turns and a quadrant.
  std::uint32_t const quadrant = (second + 0x20000000u) >> 30;
  std::int32_t const rest = static_cast<std::int32_t>(second - (quadrant << 30));
  float const x = static_cast<float>(rest) * (6.28318531f * 0x1p-32f);
  float const x2 = x * x;
  float sn = 1.0f / 362880;
  sn = std::fmaf(sn, x2, -1.0f / 5040);
  sn = std::fmaf(sn, x2, 1.0f / 120);
  sn = std::fmaf(sn, x2, -1.0f / 6);
  sn = std::fmaf(sn * x2, x, x);
  float cs = -1.0f / 3628800;
  cs = std::fmaf(cs, x2, 1.0f / 40320);
  cs = std::fmaf(cs, x2, -1.0f / 720);
  cs = std::fmaf(cs, x2, 1.0f / 24);
  cs = std::fmaf(cs, x2, -0.5f);
  cs = std::fmaf(cs, x2, 1.0f);
  float const c = (quadrant & 1u) ? sn : cs;
  float const d = (quadrant & 1u) ? cs : sn;
  float const cosine = (quadrant == 1u || quadrant == 2u) ? -c : c;
  float const sine = (quadrant >= 2u) ? -d : d;
  return {radius * cosine, radius * sine};
}

}  // namespace stipple
