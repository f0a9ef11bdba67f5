// Kernel text: c (rows, columns) = or += a (rows, depth) b (depth, columns), all in the compute type and in cache, and
// the rows that go in and come out.
//
// Rows of b and c lie `b_row` and `c_row` apart, and `columns` is a multiple of the vector width: callers pad their
// scratch. Every element is one chain of fused multiply-adds over the depth in order, whichever register tile it falls
// into.

#if STIPPLE_ISA_AVX512
inline constexpr int product_rows = 8;  // 16 sums, 2 columns of b and 1 element of a, of 32 registers
#elif STIPPLE_ISA_AVX2
inline constexpr int product_rows = 6;  // 12 sums, of 16 registers
#else
inline constexpr int product_rows = 4;
#endif

template <int Rows, int Vectors, class C>
inline void product_tile(const C* a, Index a_row, Index a_column, const C* b, Index b_row, C* c, Index c_row,
                         Index depth, Into into) {
  using V = vec_for<C>;
  V sum[Rows][Vectors];
  STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = all<V>(0);
  for (Index k = 0; k < depth; ++k) {
    V right[Vectors];
    STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) right[j] = load<V>(b + j * V::width);
    STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) {
      V const left = all<V>(a[i * a_row]);
      STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(left, right[j], sum[i][j]);
    }
    a += a_column;
    b += b_row;
  }
  STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) {
    C* const at = c + i * c_row + j * V::width;
    store(at, into == Into::add ? load<V>(at) + sum[i][j] : sum[i][j]);
  }
}

template <int Vectors, class C>
inline void product_columns(Strided<C> a, const C* b, Index b_row, C* c, Index c_row, Index rows, Index depth,
                            Into into) {
  Index i = 0;
  for (; i + product_rows <= rows; i += product_rows)
    product_tile<product_rows, Vectors>(a.data + i * a.row_stride, a.row_stride, a.column_stride, b, b_row,
                                        c + i * c_row, c_row, depth, into);
  constexpr int half = product_rows / 2;
  for (; i + half <= rows; i += half)
    product_tile<half, Vectors>(a.data + i * a.row_stride, a.row_stride, a.column_stride, b, b_row, c + i * c_row,
                                c_row, depth, into);
  for (; i < rows; ++i)
    product_tile<1, Vectors>(a.data + i * a.row_stride, a.row_stride, a.column_stride, b, b_row, c + i * c_row, c_row,
                             depth, into);
}

template <class C>
inline void small_product(Strided<C> a, const C* b, Index b_row, C* c, Index c_row, Index rows, Index columns,
                          Index depth, Into into) {
  constexpr Index width = vec_for<C>::width;
  Index j = 0;
  for (; j + 2 * width <= columns; j += 2 * width) product_columns<2>(a, b + j, b_row, c + j, c_row, rows, depth, into);
  for (; j < columns; j += width) product_columns<1>(a, b + j, b_row, c + j, c_row, rows, depth, into);
}

/// n rounded up to whole vectors.
template <class C>
inline Index padded(Index n) {
  constexpr Index width = vec_for<C>::width;
  return (n + width - 1) / width * width;
}

/// The first n lanes of p (at most a vector), zero in the others.
template <class V, class T>
inline V load_some(const T* p, Index n) {
  return n >= V::width ? load<V>(p) : load<V>(p, static_cast<int>(n));
}
template <class T, class V>
inline void store_some(T* p, V v, Index n) {
  if (n >= V::width)
    store(p, v);
  else
    store(p, v, static_cast<int>(n));
}

/// Asks for a row of `dim` numbers that will be read or written about a tile later. Processors fetch ahead along lines
/// by themselves, but not along short rows that lie far apart. Inlined by force: g++ drops calls that only prefetch.
template <class T>
[[gnu::always_inline]] inline void prefetch_row(const T* p, Index dim) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  constexpr int read = 0, into_second_level = 2;
  for (Index d = 0; d < dim; d += line) __builtin_prefetch(p + d, read, into_second_level);
}
/// How far ahead of row i to prefetch in a tile of `rows` at `first`, so that the next tile is there and nothing behind
/// `end`.
inline Index rows_ahead(Index first, Index rows, Index end) {
  return rows < end - first - rows ? rows : end - first - rows;
}

/// `rows` rows of `dim` numbers, `stride` apart, times `scale`, to rows of padded(dim) with zero behind. Row i + ahead
/// is prefetched.
template <class T, class C>
inline void pack_rows(const T* from, Index stride, Index rows, Index dim, C scale, C* to, Index ahead = 0) {
  using V = vec_for<T>;
  Index const wide = padded<C>(dim);
  for (Index i = 0; i < rows; ++i) {
    prefetch_row(from + (i + ahead) * stride, dim);
    for (Index d = 0; d < dim; d += V::width)
      store(to + i * wide + d, load_some<V>(from + i * stride + d, dim - d) * all<V>(scale));
  }
}
/// The way back: rows of padded(dim) times `scale` to rows `stride` apart.
template <class T, class C>
inline void unpack_rows(const C* from, Index stride, Index rows, Index dim, C scale, T* to, Index ahead = 0) {
  using V = vec_for<T>;
  Index const wide = padded<C>(dim);
  for (Index i = 0; i < rows; ++i) {
    prefetch_row(to + (i + ahead) * stride, dim);
    for (Index d = 0; d < dim; d += V::width)
      store_some(to + i * stride + d, load<V>(from + i * wide + d) * all<V>(scale), dim - d);
  }
}
