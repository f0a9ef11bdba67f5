// Kernel text: Philox4x32-10 and the Box-Muller transform of core/philox.hpp, one block of four numbers a lane. Every
// operation is the scalar form's, in its order, so the bits are the same.

#if STIPPLE_ISA_PORTABLE

// Blocks [begin, end) of the flattened rows.
inline void fill_normals_range(const DrawKey& key, std::uint64_t first_sample, float* out, Index row, Index blocks,
                               Index begin, Index end) {
  for (Index b = begin; b < end; ++b) {
    Index const sample = b / blocks, block = b % blocks;
    auto const w = key.words(first_sample + static_cast<std::uint64_t>(sample), static_cast<std::uint64_t>(block));
    auto const first = normals_from_words(w[0], w[1]), second = normals_from_words(w[2], w[3]);
    float const four[4] = {first[0], first[1], second[0], second[1]};
    float* const to = out + sample * row + 4 * block;
    for (Index j = 0; j < 4 && 4 * block + j < row; ++j) to[j] = four[j];
  }
}

#else

// `Ints` holds 32-bit words, as many as Vec has lanes; `Longs` 64-bit ones, half as many. Only the lower halves of
// Longs count, as products of 32-bit words ignore the upper ones.
#if STIPPLE_ISA_AVX512
using Ints = __m512i;
using Longs = __m512i;
inline Longs all_longs(std::uint32_t x) { return _mm512_set1_epi64(x); }
inline Longs load_longs(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
inline Longs product(Longs a, Longs b) { return _mm512_maskz_mul_epu32(0xff, a, b); }
inline Longs upper(Longs a) { return _mm512_maskz_srli_epi64(0xff, a, 32); }
inline Longs exclusive_or(Longs a, Longs b, Longs c) { return _mm512_xor_si512(_mm512_xor_si512(a, b), c); }
inline Ints lower_words(Longs a, Longs b) {
  __m256i const x = _mm512_maskz_cvtepi64_epi32(0xff, a), y = _mm512_maskz_cvtepi64_epi32(0xff, b);
  return _mm512_maskz_inserti64x4(0xff, _mm512_maskz_broadcast_i64x4(0xff, x), y, 1);
}
inline Ints all_ints(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
inline Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
inline Ints subtract(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
inline Ints both(Ints a, Ints b) { return _mm512_and_si512(a, b); }
template <int N>
inline Ints right(Ints a) {
  return _mm512_maskz_srli_epi32(full, a, N);
}
template <int N>
inline Ints left(Ints a) {
  return _mm512_maskz_slli_epi32(full, a, N);
}
template <int N>
inline Ints right_signed(Ints a) {
  return _mm512_maskz_srai_epi32(full, a, N);
}
inline Vec to_float(Ints a) { return {_mm512_maskz_cvtepi32_ps(full, a)}; }
inline Vec as_float(Ints a) { return {_mm512_castsi512_ps(a)}; }
inline Ints as_ints(Vec a) { return _mm512_castps_si512(a.v); }
inline Vec flip_sign(Vec a, Ints sign_bits) { return as_float(_mm512_xor_si512(as_ints(a), sign_bits)); }
inline VecMask any_bit(Ints a) { return _mm512_test_epi32_mask(a, a); }
#else
using Ints = __m256i;
using Longs = __m256i;
inline Longs all_longs(std::uint32_t x) { return _mm256_set1_epi64x(x); }
inline Longs load_longs(const std::uint64_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline Longs product(Longs a, Longs b) { return _mm256_mul_epu32(a, b); }
inline Longs upper(Longs a) { return _mm256_srli_epi64(a, 32); }
inline Longs exclusive_or(Longs a, Longs b, Longs c) { return _mm256_xor_si256(_mm256_xor_si256(a, b), c); }
inline Ints lower_words(Longs a, Longs b) {
  __m256 const mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
  return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xd8);
}
inline Ints all_ints(std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
inline Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
inline Ints subtract(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
inline Ints both(Ints a, Ints b) { return _mm256_and_si256(a, b); }
template <int N>
inline Ints right(Ints a) {
  return _mm256_srli_epi32(a, N);
}
template <int N>
inline Ints left(Ints a) {
  return _mm256_slli_epi32(a, N);
}
template <int N>
inline Ints right_signed(Ints a) {
  return _mm256_srai_epi32(a, N);
}
inline Vec to_float(Ints a) { return {_mm256_cvtepi32_ps(a)}; }
inline Vec as_float(Ints a) { return {_mm256_castsi256_ps(a)}; }
inline Ints as_ints(Vec a) { return _mm256_castps_si256(a.v); }
inline Vec flip_sign(Vec a, Ints sign_bits) { return as_float(_mm256_xor_si256(as_ints(a), sign_bits)); }
inline VecMask any_bit(Ints a) {
  return {_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpeq_epi32(a, _mm256_setzero_si256()), _mm256_set1_epi32(-1)))};
}
#endif

struct PhiloxState {
  Longs c0, c1, c2, c3;
};
// Ten rounds; see philox().
inline PhiloxState philox_lanes(PhiloxState c, std::uint32_t key0, std::uint32_t key1) {
  Longs const m0 = all_longs(0xD2511F53u), m1 = all_longs(0xCD9E8D57u);
  for (int round = 0; round < 10; ++round) {
    Longs const p0 = product(m0, c.c0), p1 = product(m1, c.c2);
    c = {exclusive_or(upper(p1), c.c1, all_longs(key0)), p1, exclusive_or(upper(p0), c.c3, all_longs(key1)), p0};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

struct TwoNormals {
  Vec first, second;
};
// See normals_from_words().
inline TwoNormals normals_lanes(Ints first, Ints second) {
  Vec const one = all<Vec>(1.0f);
  Vec const u = (to_float(right<8>(first)) + one) * all<Vec>(0x1p-24f);
  Ints const root_half = all_ints(0x3f3504f3u);
  Ints const shifted = subtract(as_ints(u), root_half);
  Vec const e = to_float(right_signed<23>(shifted));
  Vec const m = as_float(add(both(shifted, all_ints(0x007fffffu)), root_half));
  Vec const s = (m - one) / (m + one);
  Vec const s2 = s * s;
  Vec p = all<Vec>(2.0f / 9);
  p = fma(p, s2, all<Vec>(2.0f / 7));
  p = fma(p, s2, all<Vec>(2.0f / 5));
  p = fma(p, s2, all<Vec>(2.0f / 3));
  Vec const log_u = fma(e, all<Vec>(0.693147181f), fma(p * s2, s, all<Vec>(2.0f) * s));
  Vec const radius = sqrt(all<Vec>(-2.0f) * log_u);
  Ints const quadrant = right<30>(add(second, all_ints(0x20000000u)));
  Vec const x = to_float(subtract(second, left<30>(quadrant))) * all<Vec>(6.28318531f * 0x1p-32f);
  Vec const x2 = x * x;
  Vec sn = all<Vec>(1.0f / 362880);
  sn = fma(sn, x2, all<Vec>(-1.0f / 5040));
  sn = fma(sn, x2, all<Vec>(1.0f / 120));
  sn = fma(sn, x2, all<Vec>(-1.0f / 6));
  sn = fma(sn * x2, x, x);
  Vec cs = all<Vec>(-1.0f / 3628800);
  cs = fma(cs, x2, all<Vec>(1.0f / 40320));
  cs = fma(cs, x2, all<Vec>(-1.0f / 720));
  cs = fma(cs, x2, all<Vec>(1.0f / 24));
  cs = fma(cs, x2, all<Vec>(-0.5f));
  cs = fma(cs, x2, one);
  VecMask const odd = any_bit(both(quadrant, all_ints(1)));
  // The cosine is negative in quadrants 1 and 2, the sine in 2 and 3.
  Ints const cosine_sign = left<30>(both(add(quadrant, all_ints(1)), all_ints(2)));
  Ints const sine_sign = left<30>(both(quadrant, all_ints(2)));
  return {radius * flip_sign(select(odd, sn, cs), cosine_sign), radius * flip_sign(select(odd, cs, sn), sine_sign)};
}

// Blocks [begin, end) of the flattened rows.
inline void fill_normals_range(const DrawKey& key, std::uint64_t first_sample, float* out, Index row, Index blocks,
                               Index begin, Index end) {
  constexpr int width = Vec::width, half = width / 2;
  Index sample = begin / blocks, block = begin % blocks;
  for (Index b = begin; b < end; b += width) {
    int const count = static_cast<int>(end - b < width ? end - b : width);
    std::uint64_t block_of[width] = {}, low[width] = {}, high[width] = {};
    float* to[width];
    int elements[width];
    for (int i = 0; i < count; ++i) {
      std::uint64_t const name = first_sample + static_cast<std::uint64_t>(sample);
      block_of[i] = static_cast<std::uint32_t>(block);
      low[i] = static_cast<std::uint32_t>(name);
      high[i] = name >> 32;
      to[i] = out + sample * row + 4 * block;
      elements[i] = static_cast<int>(row - 4 * block < 4 ? row - 4 * block : 4);
      if (++block == blocks) {
        block = 0;
        ++sample;
      }
    }
    PhiloxState const x = philox_lanes({load_longs(block_of), all_longs(key.draw), load_longs(low), load_longs(high)},
                                       key.key0, key.key1);
    PhiloxState const y = philox_lanes(
        {load_longs(block_of + half), all_longs(key.draw), load_longs(low + half), load_longs(high + half)}, key.key0,
        key.key1);
    TwoNormals const front = normals_lanes(lower_words(x.c0, y.c0), lower_words(x.c1, y.c1));
    TwoNormals const back = normals_lanes(lower_words(x.c2, y.c2), lower_words(x.c3, y.c3));
    alignas(64) float values[4][width];
    store(values[0], front.first);
    store(values[1], front.second);
    store(values[2], back.first);
    store(values[3], back.second);
    for (int i = 0; i < count; ++i)
      for (int j = 0; j < elements[i]; ++j) to[i][j] = values[j][i];
  }
}

#endif
