// Kernel text: `vec_for<T>`, a vector of compute_t<T>, with the same operations in every instruction set.
//
//   vec::width                      lanes
//   load<V>(p), load<V>(p, n)       from float, double or bf16; with n: the first n lanes, zero in the others
//   store(p, v), store(p, v, n)     rounded to nearest even for bf16
//   all<V>(x)                       x in every lane
//   + - * /, fma(a, b, c) = a b + c, min, max, sqrt, abs, round (to nearest even), less(a, b), is_nan(a),
//   select(mask, a, b)
//   scale_by_power(a, n)            a 2^n for integral n
//   sum(v), largest(v)              over the lanes, always in the same order

#if STIPPLE_ISA_PORTABLE

template <class C, int N>
struct Pack {
  static constexpr int width = N;
  using element = C;
  C lane[N];
};
template <class C, int N>
struct PackMask {
  bool lane[N];
};

template <class T>
using vec_for = std::conditional_t<std::is_same_v<T, double>, Pack<double, 2>, Pack<float, 4>>;

template <class V, class T>
inline V load(const T* p) {
  V v;
  for (int i = 0; i < V::width; ++i) v.lane[i] = static_cast<typename V::element>(p[i]);
  return v;
}
template <class V, class T>
inline V load(const T* p, int n) {
  V v;
  for (int i = 0; i < V::width; ++i) v.lane[i] = i < n ? static_cast<typename V::element>(p[i]) : 0;
  return v;
}
template <class T, class C, int N>
inline void store(T* p, Pack<C, N> v) {
  for (int i = 0; i < N; ++i) p[i] = static_cast<T>(v.lane[i]);
}
template <class T, class C, int N>
inline void store(T* p, Pack<C, N> v, int n) {
  for (int i = 0; i < n && i < N; ++i) p[i] = static_cast<T>(v.lane[i]);
}
template <class V>
inline V all(typename V::element x) {
  V v;
  for (int i = 0; i < V::width; ++i) v.lane[i] = x;
  return v;
}
template <class C, int N>
inline Pack<C, N> operator+(Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] += b.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> operator-(Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] -= b.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> operator*(Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] *= b.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> operator/(Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] /= b.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> operator-(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = -a.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> fma(Pack<C, N> a, Pack<C, N> b, Pack<C, N> c) {
  for (int i = 0; i < N; ++i) a.lane[i] = a.lane[i] * b.lane[i] + c.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> min(Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> max(Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
  return a;
}
template <class C, int N>
inline Pack<C, N> sqrt(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = std::sqrt(a.lane[i]);
  return a;
}
template <class C, int N>
inline Pack<C, N> abs(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = std::abs(a.lane[i]);
  return a;
}
template <class C, int N>
inline PackMask<C, N> less(Pack<C, N> a, Pack<C, N> b) {
  PackMask<C, N> m;
  for (int i = 0; i < N; ++i) m.lane[i] = a.lane[i] < b.lane[i];
  return m;
}
template <class C, int N>
inline PackMask<C, N> is_nan(Pack<C, N> a) {
  PackMask<C, N> m;
  for (int i = 0; i < N; ++i) m.lane[i] = a.lane[i] != a.lane[i];
  return m;
}
template <class C, int N>
inline Pack<C, N> select(PackMask<C, N> m, Pack<C, N> a, Pack<C, N> b) {
  for (int i = 0; i < N; ++i) a.lane[i] = m.lane[i] ? a.lane[i] : b.lane[i];
  return a;
}
template <class C, int N>
inline C sum(Pack<C, N> v) {
  C total = 0;
  for (int i = 0; i < N; ++i) total += v.lane[i];
  return total;
}
template <class C, int N>
inline C largest(Pack<C, N> v) {
  C best = v.lane[0];
  for (int i = 1; i < N; ++i) best = best > v.lane[i] ? best : v.lane[i];
  return best;
}

#else  // AVX2 and AVX-512 share everything but the register type

struct Vec;
template <class T>
using vec_for = Vec;

#if STIPPLE_ISA_AVX512
struct Vec {
  static constexpr int width = 16;
  using element = float;
  __m512 v;
};
using VecMask = __mmask16;
// The masked forms with all lanes on compile to the plain instructions; g++ 12's plain forms read an uninitialised
// register on paper, which -Wuninitialized reports once they are inlined.
inline constexpr __mmask16 full = 0xffff;

inline __mmask16 lanes(int n) {
  return n >= 16 ? __mmask16(0xffff) : static_cast<__mmask16>((1u << (n < 0 ? 0 : n)) - 1u);
}
inline __m512 widen(__m256i h) {
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(full, _mm512_maskz_cvtepu16_epi32(full, h), 16));
}
inline __m256i narrow(__m512 x) {  // to nearest even; a quiet NaN stays one
  __m512i const u = _mm512_castps_si512(x);
  __m512i const odd = _mm512_and_si512(_mm512_maskz_srli_epi32(full, u, 16), _mm512_set1_epi32(1));
  __m512i const r = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
  __mmask16 const nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_maskz_cvtepi32_epi16(
      full, _mm512_maskz_srli_epi32(full, _mm512_mask_or_epi32(r, nan, u, _mm512_set1_epi32(0x400000)), 16));
}
template <class V>
inline Vec load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
template <class V>
inline Vec load(const bf16* p) {
  return {widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
template <class V>
inline Vec load(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(lanes(n), p)};
}
template <class V>
inline Vec load(const bf16* p, int n) {
  return {widen(_mm256_maskz_loadu_epi16(lanes(n), p))};
}
inline void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
inline void store(bf16* p, Vec a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow(a.v)); }
inline void store(float* p, Vec a, int n) { _mm512_mask_storeu_ps(p, lanes(n), a.v); }
inline void store(bf16* p, Vec a, int n) { _mm256_mask_storeu_epi16(p, lanes(n), narrow(a.v)); }
template <class V>
inline Vec all(float x) {
  return {_mm512_set1_ps(x)};
}
inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec operator-(Vec a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_maskz_min_ps(full, a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_maskz_max_ps(full, a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm512_maskz_sqrt_ps(full, a.v)}; }
inline Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
inline Vec round(Vec a) {
  return {_mm512_maskz_roundscale_ps(full, a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline VecMask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline VecMask is_nan(Vec a) { return _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q); }
inline Vec select(VecMask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m, b.v, a.v)}; }
inline Vec scale_by_power(Vec a, Vec n) { return {_mm512_maskz_scalef_ps(full, a.v, n.v)}; }
inline __m256 lower_half(Vec a) { return _mm512_maskz_extractf32x8_ps(0xff, a.v, 0); }
inline __m256 upper_half(Vec a) { return _mm512_maskz_extractf32x8_ps(0xff, a.v, 1); }
inline float sum(Vec a) {
  __m256 const h = _mm256_add_ps(lower_half(a), upper_half(a));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline float largest(Vec a) {
  __m256 const h = _mm256_max_ps(lower_half(a), upper_half(a));
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}
#else   // AVX2
struct Vec {
  static constexpr int width = 8;
  using element = float;
  __m256 v;
};
struct VecMask {
  __m256 v;
};
inline __m256i lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256 widen(__m128i h) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16)); }
inline __m128i narrow(__m256 x) {
  __m256i const u = _mm256_castps_si256(x);
  __m256i const odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  __m256i r = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
  __m256i const nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  r = _mm256_blendv_epi8(r, _mm256_or_si256(u, _mm256_set1_epi32(0x400000)), nan);
  r = _mm256_srli_epi32(r, 16);
  return _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1));
}
template <class V>
inline Vec load(const float* p) {
  return {_mm256_loadu_ps(p)};
}
template <class V>
inline Vec load(const bf16* p) {
  return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
template <class V>
inline Vec load(const float* p, int n) {
  return {_mm256_maskload_ps(p, lanes(n))};
}
template <class V>
inline Vec load(const bf16* p, int n) {
  if (n >= 8) return load<V>(p);
  alignas(16) std::uint16_t part[8] = {};
  for (int i = 0; i < n; ++i) part[i] = p[i].bits;
  return {widen(_mm_load_si128(reinterpret_cast<const __m128i*>(part)))};
}
inline void store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }
inline void store(bf16* p, Vec a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow(a.v)); }
inline void store(float* p, Vec a, int n) { _mm256_maskstore_ps(p, lanes(n), a.v); }
inline void store(bf16* p, Vec a, int n) {
  if (n >= 8) return store(p, a);
  alignas(16) std::uint16_t part[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(part), narrow(a.v));
  for (int i = 0; i < n; ++i) p[i].bits = part[i];
}
template <class V>
inline Vec all(float x) {
  return {_mm256_set1_ps(x)};
}
inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vec operator-(Vec a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
inline Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
inline Vec round(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline VecMask less(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline VecMask is_nan(Vec a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
inline Vec select(VecMask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m.v)}; }
inline Vec scale_by_power(Vec a, Vec n) {  // in two halves, so that results down to the subnormals are reached
  __m256i const k = _mm256_cvtps_epi32(n.v);
  __m256i const half = _mm256_srai_epi32(k, 1);
  __m256i const bias = _mm256_set1_epi32(127);
  __m256 const p = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  __m256 const q = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, half), bias), 23));
  return {_mm256_mul_ps(_mm256_mul_ps(a.v, p), q)};
}
inline float sum(Vec a) {
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline float largest(Vec a) {
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}
#endif  // AVX2
#endif  // not portable
