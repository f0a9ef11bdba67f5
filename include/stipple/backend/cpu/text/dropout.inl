// Kernel text: dropout of one group of 128 elements. They take their bits from 16 Philox blocks, in an order that suits
// vectors of 16 lanes: element 16 p + l of group g has half p % 2 (lower first) of word p / 2 of block 16 g + l.

#if STIPPLE_ISA_PORTABLE

inline void keep_factors(const DropoutPlan& plan, Index sample, Index group, float* keep) {
  for (int lane = 0; lane < 16; ++lane) {
    auto const words =
        plan.key.words(static_cast<std::uint64_t>(sample), static_cast<std::uint64_t>(16 * group + lane));
    for (int part = 0; part < 8; ++part) {
      std::uint32_t const bits = words[static_cast<std::size_t>(part / 2)] >> 16 * (part % 2) & 0xffffu;
      keep[16 * part + lane] = bits >= plan.threshold ? plan.scale : 0.0f;
    }
  }
}

#else

#if STIPPLE_ISA_AVX512
struct Words {  // the same word of several blocks
  static constexpr int lanes = 16;
  __m512i v;
};
inline Words words_of(std::uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
inline Words count_from(std::uint32_t x) {
  return {_mm512_add_epi32(words_of(x).v, _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))};
}
inline Words mix(Words a, Words b, std::uint32_t key) {
  return {_mm512_xor_si512(_mm512_xor_si512(a.v, b.v), words_of(key).v)};
}
// Upper and lower words of the products with a constant.
inline void multiply_wide(Words a, std::uint32_t b, Words& upper, Words& lower) {
  __m512i const even = _mm512_maskz_mul_epu32(0xff, a.v, words_of(b).v);
  __m512i const odd = _mm512_maskz_mul_epu32(0xff, _mm512_maskz_srli_epi64(0xff, a.v, 32), words_of(b).v);
  upper.v = _mm512_mask_blend_epi32(0xaaaa, _mm512_maskz_srli_epi64(0xff, even, 32), odd);
  lower.v = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_maskz_slli_epi64(0xff, odd, 32));
}
template <int Shift>
inline void store_keep(float* keep, Words w, std::uint32_t threshold, float scale) {
  __m512i const bits = _mm512_and_si512(_mm512_maskz_srli_epi32(full, w.v, Shift), _mm512_set1_epi32(0xffff));
  __mmask16 const kept = _mm512_cmpge_epu32_mask(bits, words_of(threshold).v);
  _mm512_storeu_ps(keep, _mm512_maskz_mov_ps(kept, _mm512_set1_ps(scale)));
}
#else
struct Words {
  static constexpr int lanes = 8;
  __m256i v;
};
inline Words words_of(std::uint32_t x) { return {_mm256_set1_epi32(static_cast<int>(x))}; }
inline Words count_from(std::uint32_t x) {
  return {_mm256_add_epi32(words_of(x).v, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))};
}
inline Words mix(Words a, Words b, std::uint32_t key) {
  return {_mm256_xor_si256(_mm256_xor_si256(a.v, b.v), words_of(key).v)};
}
inline void multiply_wide(Words a, std::uint32_t b, Words& upper, Words& lower) {
  __m256i const even = _mm256_mul_epu32(a.v, words_of(b).v);
  __m256i const odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), words_of(b).v);
  upper.v = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  lower.v = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}
template <int Shift>
inline void store_keep(float* keep, Words w, std::uint32_t threshold, float scale) {
  // 16 bits against at most 65536: the signed comparison does.
  __m256i const bits = _mm256_and_si256(_mm256_srli_epi32(w.v, Shift), _mm256_set1_epi32(0xffff));
  __m256i const dropped = _mm256_cmpgt_epi32(words_of(threshold).v, bits);
  _mm256_storeu_ps(keep, _mm256_andnot_ps(_mm256_castsi256_ps(dropped), _mm256_set1_ps(scale)));
}
#endif

inline void keep_factors(const DropoutPlan& plan, Index sample, Index group, float* keep) {
  auto const row = static_cast<std::uint64_t>(sample);
  for (int lane = 0; lane < 16; lane += Words::lanes) {
    Words c0 = count_from(static_cast<std::uint32_t>(16 * group + lane)), c1 = words_of(plan.key.draw);
    Words c2 = words_of(static_cast<std::uint32_t>(row)), c3 = words_of(static_cast<std::uint32_t>(row >> 32));
    std::uint32_t key0 = plan.key.key0, key1 = plan.key.key1;
    for (int round = 0; round < 10; ++round) {  // as `philox`
      Words upper0, lower0, upper1, lower1;
      multiply_wide(c0, 0xD2511F53u, upper0, lower0);
      multiply_wide(c2, 0xCD9E8D57u, upper1, lower1);
      c0 = mix(upper1, c1, key0);
      c1 = lower1;
      c2 = mix(upper0, c3, key1);
      c3 = lower0;
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    Words const words[4] = {c0, c1, c2, c3};
    for (int k = 0; k < 4; ++k) {
      store_keep<0>(keep + 32 * k + lane, words[k], plan.threshold, plan.scale);
      store_keep<16>(keep + 32 * k + 16 + lane, words[k], plan.threshold, plan.scale);
    }
  }
}

#endif

template <class T>
void dropout_one_group(const DropoutPlan& plan, Index sample, Index group, const T* x, T* y, Index n) {
  using V = vec_for<T>;
  float keep[dropout_group];
  keep_factors(plan, sample, group, keep);
  V const zero = all<V>(0);
  for (Index i = 0; i < n; i += V::width) {
    int const lanes = static_cast<int>(n - i < V::width ? n - i : V::width);
    V const k = load<V>(keep + i, lanes);
    store(y + i, select(less(zero, k), load<V>(x + i, lanes) * k, zero), lanes);
  }
}
