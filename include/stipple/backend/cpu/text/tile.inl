// Kernel text: register tiles of a matrix product, the heart of matmul and convolution.
//
// Products are counted in units: one number of the compute type, or for bf16 dot products a pair of bf16. The right
// operand is kept in panels of 16 columns. With rows i < rows and columns j of `panels` panels,
//   c[i][j] = sum over segments s and units u of a_i[a_offset_s + u a_stride] * b[b_offset_s + u b_stride + j].
// The order of the sum does not depend on how many rows or columns a tile has, so the result of a row is the same bits
// in every batch.

#if STIPPLE_ISA_AVX512_BF16
struct TileVec {
  using vector = __m512;
  static constexpr int per_panel = 1;
  static __m512 zero() { return _mm512_setzero_ps(); }
  static __m512i right(const Pair* p) { return _mm512_loadu_si512(p); }
  static __m512i left(const Pair* p) {
    std::int32_t both;
    std::memcpy(&both, p, 4);
    return _mm512_set1_epi32(both);
  }
  static __m512 product(__m512i a, __m512i b, __m512 c) { return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b); }
  static void put(float* p, __m512 c) { _mm512_storeu_ps(p, c); }
};
template <class E>
using tile_vec = TileVec;
#else
template <class E>
struct TileVec {
  using vector = vec_for<E>;
  static constexpr int per_panel = panel_width / vector::width;
  static vector zero() { return all<vector>(0); }
  static vector right(const E* p) { return load<vector>(p); }
  static vector left(const E* p) { return all<vector>(*p); }
  static vector product(vector a, vector b, vector c) { return fma(a, b, c); }
  static void put(E* p, vector c) { store(p, c); }
};
template <class E>
using tile_vec = TileVec<E>;
#endif

#if STIPPLE_ISA_AVX512 || STIPPLE_ISA_AVX512_BF16
inline constexpr int most_panels = 4;
inline constexpr int tile_rows(int panels) { return panels == 4 ? 6 : 8; }
#elif STIPPLE_ISA_AVX2
inline constexpr int most_panels = 1;
inline constexpr int tile_rows(int) { return 6; }
#else
inline constexpr int most_panels = 1;
inline constexpr int tile_rows(int) { return 2; }
#endif

/// How many panels the next column group takes when `left` remain: as many as fit, without leaving a single one behind.
inline int next_panels(Index left) {
  if (left <= most_panels) return static_cast<int>(left);
  return most_panels > 2 && left % most_panels == 1 && left < 2 * most_panels ? most_panels - 1 : most_panels;
}

template <int Rows, int Panels, class E, class C>
inline void tile(const E* const* a, const E* b, const TileSum& s, C* c) {
  using V = tile_vec<E>;
  constexpr int vectors = Panels * V::per_panel;
  constexpr int step = panel_width / V::per_panel;
  typename V::vector sum[Rows][vectors];
  STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < vectors; ++j) sum[i][j] = V::zero();
  for (Index segment = 0; segment < s.segments; ++segment) {
    const E* left[Rows];
    STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) left[i] = a[i] + s.a_offset[segment];
    const E* right = b + s.b_offset[segment];
    Index at = 0;
    for (Index u = 0; u < s.units; ++u) {
      decltype(V::right(right)) columns[vectors];
      STIPPLE_UNROLL for (int j = 0; j < vectors; ++j) columns[j] =
          V::right(right + j / V::per_panel * s.panel_stride + j % V::per_panel * step);
      STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) {
        auto const row = V::left(left[i] + at);
        STIPPLE_UNROLL for (int j = 0; j < vectors; ++j) sum[i][j] = V::product(row, columns[j], sum[i][j]);
      }
      at += s.a_stride;
      right += s.b_stride;
    }
  }
  STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < vectors; ++j)
      V::put(c + i * Panels * panel_width + j * step, sum[i][j]);
}

/// `rows` valid rows (at most tile_rows(panels)); the pointers of the rest repeat a valid one.
template <class E, class C>
inline void any_tile(int rows, int panels, const E* const* a, const E* b, const TileSum& s, C* c) {
#if STIPPLE_ISA_AVX512 || STIPPLE_ISA_AVX512_BF16
  if (rows == 1) {
    switch (panels) {
      case 4:
        return tile<1, 4>(a, b, s, c);
      case 3:
        return tile<1, 3>(a, b, s, c);
      case 2:
        return tile<1, 2>(a, b, s, c);
      default:
        return tile<1, 1>(a, b, s, c);
    }
  }
  switch (panels) {
    case 4:
      return tile<tile_rows(4), 4>(a, b, s, c);
    case 3:
      return tile<tile_rows(3), 3>(a, b, s, c);
    case 2:
      return tile<tile_rows(2), 2>(a, b, s, c);
    default:
      return tile<tile_rows(1), 1>(a, b, s, c);
  }
#else
  (void)rows;
  (void)panels;
  tile<tile_rows(1), 1>(a, b, s, c);
#endif
}

// How results are stored; a class, because overloads of `store` would compete with those of avx512.
#if STIPPLE_ISA_AVX512_BF16
struct Result {
  // One instruction in place of rounding by integer arithmetic; it flushes subnormals to zero.
  static __m256i narrowed(Vec v) {
    __m256i bits;
    auto const packed = _mm512_maskz_cvtneps_pbh(full, v.v);
    std::memcpy(&bits, &packed, sizeof bits);
    return bits;
  }
  static void put(bf16* p, Vec v, int n) {
    if (n == Vec::width)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(v));
    else
      _mm256_mask_storeu_epi16(p, lanes(n), narrowed(v));
  }
  static void put(float* p, Vec v, int n) { store(p, v, n); }
};
#else
struct Result {
  template <class T, class V>
  static void put(T* p, V v, int n) {
    if (n == V::width)
      store(p, v);
    else
      store(p, v, n);
  }
};
#endif

/// Writes n columns of one row of a tile: out = c + bias + addend + residual, each where given.
template <class T, class C>
inline void finish_row(const C* c, T* out, const C* bias, const T* addend, const T* residual, Index n) {
  using V = vec_for<T>;
  Index j = 0;
  for (; j + V::width <= n; j += V::width) {
    V v = load<V>(c + j);
    if (bias != nullptr) v = v + load<V>(bias + j);
    if (addend != nullptr) v = v + load<V>(addend + j);
    if (residual != nullptr) v = v + load<V>(residual + j);
    Result::put(out + j, v, V::width);
  }
  if (j == n) return;
  int const rest = static_cast<int>(n - j);
  V v = load<V>(c + j);
  if (bias != nullptr) v = v + load<V>(bias + j, rest);
  if (addend != nullptr) v = v + load<V>(addend + j, rest);
  if (residual != nullptr) v = v + load<V>(residual + j, rest);
  Result::put(out + j, v, rest);
}
/// out += c for n columns.
template <class C>
inline void add_row(const C* c, C* out, Index n) {
  using V = vec_for<C>;
  Index j = 0;
  for (; j + V::width <= n; j += V::width) store(out + j, load<V>(out + j) + load<V>(c + j));
  if (j == n) return;
  int const rest = static_cast<int>(n - j);
  store(out + j, load<V>(out + j, rest) + load<V>(c + j, rest), rest);
}

/// Units of `n` numbers.
template <class E>
inline constexpr Index units_of(Index n) {
  return std::is_same_v<E, Pair> ? (n + 1) / 2 : n;
}

/// Copies n numbers of a row into units; a last half pair is filled with zero.
template <class E, class T>
inline void pack_run(const T* from, E* to, Index n) {
  if constexpr (std::is_same_v<E, Pair>) {
    std::memcpy(static_cast<void*>(to), from, static_cast<std::size_t>(n) * sizeof(T));
    if (n % 2 != 0) reinterpret_cast<bf16*>(to)[n] = bf16{};
  } else if constexpr (std::is_same_v<E, T>) {
    std::memcpy(static_cast<void*>(to), from, static_cast<std::size_t>(n) * sizeof(T));
  } else {
    using V = vec_for<T>;
    Index i = 0;
    for (; i + V::width <= n; i += V::width) store(to + i, load<V>(from + i));
    if (i < n) store(to + i, load<V>(from + i, static_cast<int>(n - i)), static_cast<int>(n - i));
  }
}

/// One unit from two numbers that follow each other along the sum; the second may be absent (null).
template <class E, class T>
inline E make_unit(const T* first, const T* second) {
  if constexpr (std::is_same_v<E, Pair>)
    return Pair{*first, second == nullptr ? bf16{} : *second};
  else
    return static_cast<E>(*first);
}

/// One row of units from n columns of two rows: unit j = (first[j], second[j]); second may be null. Without pairs, only
/// `first` counts.
template <class E, class T>
inline void pack_pairs(const T* first, const T* second, E* to, Index n) {
  if constexpr (std::is_same_v<E, Pair>) {
    Index j = 0;
#if STIPPLE_ISA_AVX512_BF16
    for (; j + 16 <= n; j += 16) {
      __m512i const low =
          _mm512_maskz_cvtepu16_epi32(full, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first + j)));
      __m512i const high =
          second == nullptr
              ? _mm512_setzero_si512()
              : _mm512_maskz_cvtepu16_epi32(full, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second + j)));
      _mm512_storeu_si512(to + j, _mm512_or_si512(low, _mm512_maskz_slli_epi32(full, high, 16)));
    }
    if (j < n) {
      __mmask16 const m = lanes(static_cast<int>(n - j));
      __m512i const low = _mm512_maskz_cvtepu16_epi32(full, _mm256_maskz_loadu_epi16(m, first + j));
      __m512i const high = second == nullptr
                               ? _mm512_setzero_si512()
                               : _mm512_maskz_cvtepu16_epi32(full, _mm256_maskz_loadu_epi16(m, second + j));
      _mm512_mask_storeu_epi32(to + j, m, _mm512_or_si512(low, _mm512_maskz_slli_epi32(full, high, 16)));
    }
#else
    for (; j < n; ++j) to[j] = Pair{first[j], second == nullptr ? bf16{} : second[j]};
#endif
  } else {
    pack_run(first, to, n);
  }
}

#if STIPPLE_ISA_AVX512 || STIPPLE_ISA_AVX512_BF16
/// Transposes 16 rows of 16 units, `row_bytes` apart: unit j of row i to to + 16 j + i.
template <class E>
inline void transpose_units(const void* from, Index row_bytes, E* to) {
  static_assert(sizeof(E) == 4);
  __m512i a[16], b[16];
  STIPPLE_UNROLL for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(static_cast<const char*>(from) + i * row_bytes);
  STIPPLE_UNROLL for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_maskz_unpacklo_epi32(full, a[i], a[i + 1]);
    b[i + 1] = _mm512_maskz_unpackhi_epi32(full, a[i], a[i + 1]);
  }
  // Then a[4 q + c] holds, in its quarter l, column 4 l + c of rows 4 q to 4 q + 3.
  constexpr __mmask8 all_pairs = 0xff;
  STIPPLE_UNROLL for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_maskz_unpacklo_epi64(all_pairs, b[i], b[i + 2]);
    a[i + 1] = _mm512_maskz_unpackhi_epi64(all_pairs, b[i], b[i + 2]);
    a[i + 2] = _mm512_maskz_unpacklo_epi64(all_pairs, b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_maskz_unpackhi_epi64(all_pairs, b[i + 1], b[i + 3]);
  }
  constexpr int even_quarters = 0x88, odd_quarters = 0xdd;
  STIPPLE_UNROLL for (int c = 0; c < 4; ++c) {
    __m512i const even = _mm512_maskz_shuffle_i32x4(full, a[c], a[4 + c], even_quarters),
                  even_below = _mm512_maskz_shuffle_i32x4(full, a[8 + c], a[12 + c], even_quarters),
                  odd = _mm512_maskz_shuffle_i32x4(full, a[c], a[4 + c], odd_quarters),
                  odd_below = _mm512_maskz_shuffle_i32x4(full, a[8 + c], a[12 + c], odd_quarters);
    _mm512_storeu_si512(to + 16 * c, _mm512_maskz_shuffle_i32x4(full, even, even_below, even_quarters));
    _mm512_storeu_si512(to + 16 * (4 + c), _mm512_maskz_shuffle_i32x4(full, odd, odd_below, even_quarters));
    _mm512_storeu_si512(to + 16 * (8 + c), _mm512_maskz_shuffle_i32x4(full, even, even_below, odd_quarters));
    _mm512_storeu_si512(to + 16 * (12 + c), _mm512_maskz_shuffle_i32x4(full, odd, odd_below, odd_quarters));
  }
}
#endif

/// Unit rows of a whole panel of B, whose terms lie side by side, up to the last multiple of 16; returns their number.
template <class E, class T>
inline Index pack_panel_transposed(const T* b, Index k, Index n_stride, E* panel) {
#if STIPPLE_ISA_AVX512 || STIPPLE_ISA_AVX512_BF16
  if constexpr (std::is_same_v<E, Pair> || (std::is_same_v<E, T> && sizeof(E) == 4)) {
    constexpr Index per_unit = std::is_same_v<E, Pair> ? 2 : 1;
    Index r = 0;
    for (; (r + 16) * per_unit <= k; r += 16)
      transpose_units(b + r * per_unit, n_stride * static_cast<Index>(sizeof(T)), panel + r * panel_width);
    return r;
  }
#endif
  (void)b, (void)k, (void)n_stride, (void)panel;
  return 0;
}

/// Panels [begin, end) of a right operand B (k, n) given by element strides: unit row r of panel p at
/// to + p panel_stride + r 16. A tail of columns is filled with zero.
template <class E, class T>
void pack_panels(const T* b, Index k, Index n, Index k_stride, Index n_stride, E* to, Index panel_stride, Index begin,
                 Index end) {
  constexpr Index per_unit = std::is_same_v<E, Pair> ? 2 : 1;
  Index const rows = units_of<E>(k);
  for (Index p = begin; p < end; ++p) {
    Index const columns = n - p * panel_width < panel_width ? n - p * panel_width : panel_width;
    E* const panel = to + p * panel_stride;
    Index const packed = k_stride == 1 && n_stride != 1 && columns == panel_width
                             ? pack_panel_transposed<E>(b + p * panel_width * n_stride, k, n_stride, panel)
                             : 0;
    for (Index r = packed; r < rows; ++r) {
      const T* const first = b + r * per_unit * k_stride + p * panel_width * n_stride;
      const T* const second = r * per_unit + 1 < k ? first + k_stride : nullptr;
      E* const row = panel + r * panel_width;
      if (n_stride == 1) {
        pack_pairs(first, second, row, columns);
      } else {
        for (Index j = 0; j < columns; ++j)
          row[j] = make_unit<E>(first + j * n_stride, second == nullptr ? nullptr : second + j * n_stride);
      }
      for (Index j = columns; j < panel_width; ++j) row[j] = E{};
    }
  }
}
