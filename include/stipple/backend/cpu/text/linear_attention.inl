// Kernel text: linear attention of one sample and head by tiles of positions, so that the working set stays in cache.

/// p (rows, wide): exp(q - largest of the row), zero behind dim; factor[i] = scale / sum of row i. Row i + ahead is
/// prefetched.
template <class T, class C>
inline void softmax_of_queries(const T* q, Index stride, Index rows, Index dim, C scale, C* p, C* factor, Index ahead) {
  using V = vec_for<T>;
  Index const wide = padded<C>(dim);
  V const none = all<V>(-std::numeric_limits<C>::infinity());
  for (Index i = 0; i < rows; ++i) {
    const T* const from = q + i * stride;
    C* const to = p + i * wide;
    prefetch_row(from + ahead * stride, dim);
    V most = none;
    Index d = 0;
    for (; d + V::width <= dim; d += V::width) most = max(most, load<V>(from + d));
    C largest_of_row = d > 0 ? largest(most) : -std::numeric_limits<C>::infinity();
    for (; d < dim; ++d) {
      C const x = static_cast<C>(from[d]);
      largest_of_row = x > largest_of_row ? x : largest_of_row;
    }
    most = all<V>(largest_of_row);
    V total = all<V>(0);
    for (d = 0; d + V::width <= dim; d += V::width) {
      V const e = exp(load<V>(from + d) - most);
      store(to + d, e);
      total = total + e;
    }
    if (d < dim) {
      store(to + d, exp(load<V>(from + d, static_cast<int>(dim - d)) - most));
      for (Index j = dim; j < wide; ++j) to[j] = 0;
      total = total + load<V>(to + d);
    }
    factor[i] = scale / sum(total);
  }
}

/// to (wide, wide) = the transpose of from (dim, wide), with zero behind.
template <class C>
inline void transpose_padded(const C* from, Index dim, C* to) {
  Index const wide = padded<C>(dim);
  for (Index i = 0; i < wide; ++i)
    for (Index j = 0; j < wide; ++j) to[i * wide + j] = i < dim && j < dim ? from[j * wide + i] : 0;
}

/// context (dim, wide) = sum over the positions of softmax(k)[d] v[e], and the largest k and 1 / sum of exp(k -
/// largest) of each channel (wide). One pass over k and v: sums so far are scaled when a tile raises the largest.
template <class T>
inline void accumulate_context(const LinearAttentionHead<T>& h, compute_t<T>* context, compute_t<T>* largest_so_far,
                               compute_t<T>* total, compute_t<T>* e, compute_t<T>* v, compute_t<T>* decay) {
  using C = compute_t<T>;
  using V = vec_for<T>;
  constexpr Index side = linear_attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim);
  for (Index d = 0; d < wide; ++d) {
    largest_so_far[d] = -std::numeric_limits<C>::infinity();
    total[d] = 0;
  }
  for (Index first = 0; first < h.positions; first += side) {
    Index const rows = h.positions - first < side ? h.positions - first : side;
    Index const ahead = rows_ahead(first, rows, h.positions);
    const T* const k = h.k + first * h.stride;
    pack_rows(h.v + first * h.stride, h.stride, rows, dim, C(1), v, ahead);
    for (Index d = 0; d < dim; d += V::width) {
      V const before = load<V>(largest_so_far + d);
      V most = before;
      for (Index i = 0; i < rows; ++i) {
        prefetch_row(k + (i + ahead) * h.stride + d, 1);
        most = max(most, load_some<V>(k + i * h.stride + d, dim - d));
      }
      V added = all<V>(0);
      for (Index i = 0; i < rows; ++i) {
        V const x = exp(load_some<V>(k + i * h.stride + d, dim - d) - most);
        store(e + i * wide + d, x);
        added = added + x;
      }
      V const ratio = exp(before - most);
      store(decay + d, ratio);
      store(largest_so_far + d, most);
      store(total + d, fma(load<V>(total + d), ratio, added));
    }
    if (first > 0) {
      for (Index d = 0; d < dim; ++d)
        for (Index j = 0; j < wide; j += V::width)
          store(context + d * wide + j, load<V>(context + d * wide + j) * all<V>(decay[d]));
    }
    small_product({e, 1, wide}, v, wide, context, wide, dim, wide, rows, first == 0 ? Into::overwrite : Into::add);
  }
  for (Index d = 0; d < dim; ++d) {
    total[d] = 1 / total[d];
    for (Index j = 0; j < wide; j += V::width)
      store(context + d * wide + j, load<V>(context + d * wide + j) * all<V>(total[d]));
  }
}

/// y (positions, dim), rows y_stride apart; saves context (dim, dim) and statistics (2, dim) for the backward pass.
template <class T>
void linear_attention_head(const LinearAttentionHead<T>& h, T* y, Index y_stride, compute_t<T>* saved_context,
                           compute_t<T>* statistics, compute_t<T>* scratch) {
  using C = compute_t<T>;
  using V = vec_for<T>;
  constexpr Index side = linear_attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim);
  C* const context = scratch;          // (dim, wide)
  C* const a = context + wide * wide;  // (side, wide)
  C* const b = a + side * wide;        // (side, wide)
  C* const numbers = b + side * wide;  // largest, total, decay: (wide) each; later the factors (side)

  accumulate_context(h, context, numbers, numbers + wide, a, b, numbers + 2 * wide);
  unpack_rows(context, dim, dim, dim, C(1), saved_context);
  unpack_rows(numbers, dim, 2, dim, C(1), statistics);

  for (Index first = 0; first < h.positions; first += side) {
    Index const rows = h.positions - first < side ? h.positions - first : side;
    Index const ahead = rows_ahead(first, rows, h.positions);
    softmax_of_queries(h.q + first * h.stride, h.stride, rows, dim, h.scale, a, numbers, ahead);
    small_product({a, wide, 1}, context, wide, b, wide, rows, wide, dim, Into::overwrite);
    T* const to = y + first * y_stride;
    for (Index i = 0; i < rows; ++i) {
      prefetch_row(to + (i + ahead) * y_stride, dim);
      for (Index d = 0; d < dim; d += V::width)
        store_some(to + i * y_stride + d, load<V>(b + i * wide + d) * all<V>(numbers[i]), dim - d);
    }
  }
}

/// dq and the gradient of the context, (dim, wide).
template <class T>
inline void backward_queries(const LinearAttentionHead<T>& h, const LinearAttentionGradient<T>& g,
                             const compute_t<T>* context_transposed, compute_t<T>* dcontext, compute_t<T>* p,
                             compute_t<T>* dy, compute_t<T>* dp, compute_t<T>* factor) {
  using C = compute_t<T>;
  using V = vec_for<T>;
  constexpr Index side = linear_attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim);
  for (Index first = 0; first < h.positions; first += side) {
    Index const rows = h.positions - first < side ? h.positions - first : side;
    Index const ahead = rows_ahead(first, rows, h.positions);
    softmax_of_queries(h.q + first * h.stride, h.stride, rows, dim, h.scale, p, factor, ahead);
    pack_rows(g.dy + first * g.dy_stride, g.dy_stride, rows, dim, C(1), dy, ahead);
    small_product({dy, wide, 1}, context_transposed, wide, dp, wide, rows, wide, dim, Into::overwrite);
    for (Index i = 0; i < rows; ++i) {  // with u = scale softmax(q): dq = u (du - u . du / scale)
      C* const u = p + i * wide;
      V dot = all<V>(0);
      for (Index d = 0; d < wide; d += V::width) {
        V const x = load<V>(u + d) * all<V>(factor[i]);
        store(u + d, x);
        dot = fma(x, load<V>(dp + i * wide + d), dot);
      }
      V const mean = all<V>(sum(dot) / h.scale);
      T* const to = g.dq + (first + i) * h.stride;
      prefetch_row(to + ahead * h.stride, dim);
      for (Index d = 0; d < dim; d += V::width)
        store_some(to + d, load<V>(u + d) * (load<V>(dp + i * wide + d) - mean), dim - d);
    }
    small_product({p, 1, wide}, dy, wide, dcontext, wide, dim, wide, rows, first == 0 ? Into::overwrite : Into::add);
  }
}

/// dq, dk and dv of one sample and head.
template <class T>
void linear_attention_backward_head(const LinearAttentionHead<T>& h, const LinearAttentionGradient<T>& g,
                                    compute_t<T>* scratch) {
  using C = compute_t<T>;
  using V = vec_for<T>;
  constexpr Index side = linear_attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim);
  C* const context = scratch;                   // (wide, wide): later the gradient of the context, transposed
  C* const transposed = context + wide * wide;  // (wide, wide)
  C* const dcontext = transposed + wide * wide;
  C* const a = dcontext + wide * wide;  // (side, wide), three times
  C* const b = a + side * wide;
  C* const c = b + side * wide;
  C* const most = c + side * wide;  // (wide) each
  C* const inverse = most + wide;
  C* const dot = inverse + wide;
  C* const factor = dot + wide;  // (side)

  pack_rows(g.context, dim, dim, dim, C(1), context);
  pack_rows(g.statistics, dim, 2, dim, C(1), most);
  transpose_padded(context, dim, transposed);
  backward_queries(h, g, transposed, dcontext, a, b, c, factor);

  // The softmax of k runs over the positions: dk = s (ds - sum over positions of s ds), and that sum is
  // sum over e of context[d][e] dcontext[d][e].
  for (Index d = 0; d < dim; ++d) {
    V total = all<V>(0);
    for (Index e = 0; e < wide; e += V::width)
      total = fma(load<V>(context + d * wide + e), load<V>(dcontext + d * wide + e), total);
    dot[d] = sum(total);
  }
  transpose_padded(dcontext, dim, context);
  for (Index first = 0; first < h.positions; first += side) {
    Index const rows = h.positions - first < side ? h.positions - first : side;
    Index const ahead = rows_ahead(first, rows, h.positions);
    const T* const k = h.k + first * h.stride;
    for (Index d = 0; d < dim; d += V::width) {
      V const m = load<V>(most + d), r = load<V>(inverse + d);
      for (Index i = 0; i < rows; ++i) {
        prefetch_row(k + (i + ahead) * h.stride + d, 1);
        store(a + i * wide + d, exp(load_some<V>(k + i * h.stride + d, dim - d) - m) * r);
      }
    }
    small_product({a, wide, 1}, dcontext, wide, c, wide, rows, wide, dim, Into::overwrite);
    unpack_rows(c, h.stride, rows, dim, C(1), g.dv + first * h.stride, ahead);
    pack_rows(h.v + first * h.stride, h.stride, rows, dim, C(1), b, ahead);
    small_product({b, wide, 1}, context, wide, c, wide, rows, wide, dim, Into::overwrite);
    T* const to = g.dk + first * h.stride;
    for (Index i = 0; i < rows; ++i) {
      prefetch_row(to + (i + ahead) * h.stride, dim);
      for (Index d = 0; d < dim; d += V::width)
        store_some(to + i * h.stride + d, load<V>(a + i * wide + d) * (load<V>(c + i * wide + d) - load<V>(dot + d)),
                   dim - d);
    }
  }
}
