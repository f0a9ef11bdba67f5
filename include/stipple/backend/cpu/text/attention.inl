// Kernel text: scaled-dot-product attention of one sample and head by tiles of queries and keys, FlashAttention-2 (Dao
// 2023, algorithms 1 and 2). Tiles of logits are kept transposed, (keys, queries): a vector holds one key and many
// queries, so the softmax over the keys needs no sum across lanes.

/// from (rows, dim), `stride` apart, times `scale`, to (dim, attention_tile) with zero behind, up to whole vectors.
template <class T, class C>
inline void pack_transposed(const T* from, Index stride, Index rows, Index dim, C scale, C* to) {
  Index const lanes = padded<C>(rows);
  for (Index i = 0; i < rows; ++i)
    for (Index d = 0; d < dim; ++d) to[d * attention_tile + i] = static_cast<C>(from[i * stride + d]) * scale;
  for (Index d = 0; d < dim; ++d)
    for (Index i = rows; i < lanes; ++i) to[d * attention_tile + i] = 0;
}
/// The way back, through one row of scratch.
template <class T, class C>
inline void unpack_transposed(const C* from, Index stride, Index rows, Index dim, C scale, C* row, T* to) {
  for (Index i = 0; i < rows; ++i) {
    for (Index d = 0; d < dim; ++d) row[d] = from[d * attention_tile + i];
    unpack_rows(row, 0, 1, dim, scale, to + i * stride);
  }
}

/// Rules out keys after the query: logits (keys, queries) of tiles that start at these positions.
template <class C>
inline void mask_later_keys(C* logits, Index first_key, Index keys, Index first_query, Index queries) {
  for (Index j = 0; j < keys; ++j)
    for (Index i = 0; i < queries && first_query + i < first_key + j; ++i)
      logits[j * attention_tile + i] = -std::numeric_limits<C>::infinity();
}

/// One step of the online softmax: logits (keys, queries) become exp(logit - largest so far); `total` and the columns
/// of the transposed result (dim, queries) so far are brought to the new largest.
template <class C>
inline void softmax_step(C* logits, Index keys, Index lanes, C* largest_so_far, C* total, C* result, Index dim) {
  using V = vec_for<C>;
  for (Index i = 0; i < lanes; i += V::width) {
    V const before = load<V>(largest_so_far + i);
    V most = before;
    for (Index j = 0; j < keys; ++j) most = max(most, load<V>(logits + j * attention_tile + i));
    V added = all<V>(0);
    for (Index j = 0; j < keys; ++j) {
      C* const at = logits + j * attention_tile + i;
      V const p = exp(load<V>(at) - most);
      store(at, p);
      added = added + p;
    }
    V const decay = exp(before - most);
    store(largest_so_far + i, most);
    store(total + i, fma(load<V>(total + i), decay, added));
    for (Index d = 0; d < dim; ++d) {
      C* const at = result + d * attention_tile + i;
      store(at, load<V>(at) * decay);
    }
  }
}

/// Results `y` and statistics of queries [first, first + count), at most attention_tile of them.
template <class T>
void attention_forward_tile(const AttentionHead<T>& h, AttentionRows<T> y, compute_t<T>* largest,
                            compute_t<T>* inverse_total, Index first, Index count, compute_t<T>* scratch) {
  using C = compute_t<T>;
  using V = vec_for<T>;
  constexpr Index side = attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim), lanes = padded<C>(count);
  C* const q = scratch;              // (dim, side), scaled
  C* const result = q + dim * side;  // (dim, side)
  C* const k = result + dim * side;  // (side, wide)
  C* const v = k + side * wide;      // (side, wide)
  C* const p = v + side * wide;      // (side, side): keys, queries
  C* const most = p + side * side;   // (side)
  C* const total = most + side;      // (side)
  C* const row = total + side;       // (wide)

  pack_transposed(h.q.data + first * h.q.stride, h.q.stride, count, dim, h.scale, q);
  for (Index d = 0; d < dim; ++d)
    for (Index i = 0; i < lanes; ++i) result[d * side + i] = 0;
  for (Index i = 0; i < side; ++i) {
    most[i] = -std::numeric_limits<C>::infinity();
    total[i] = 0;
  }
  Index const end = h.causal && first + count < h.keys ? first + count : h.keys;
  for (Index key = 0; key < end; key += side) {
    Index const keys = end - key < side ? end - key : side;
    pack_rows(h.k.data + key * h.k.stride, h.k.stride, keys, dim, C(1), k, rows_ahead(key, keys, h.keys));
    pack_rows(h.v.data + key * h.v.stride, h.v.stride, keys, dim, C(1), v, rows_ahead(key, keys, h.keys));
    small_product({k, wide, 1}, q, side, p, side, keys, lanes, dim, Into::overwrite);
    if (h.causal) mask_later_keys(p, key, keys, first, count);
    softmax_step(p, keys, lanes, most, total, result, dim);
    small_product({v, 1, wide}, p, side, result, side, dim, lanes, keys, Into::add);
  }
  for (Index i = 0; i < lanes; i += V::width) {
    V const inverse = all<V>(1) / load<V>(total + i);
    store(total + i, inverse);
    for (Index d = 0; d < dim; ++d) {
      C* const at = result + d * side + i;
      store(at, load<V>(at) * inverse);
    }
  }
  unpack_transposed(result, y.stride, count, dim, C(1), row, y.data + first * y.stride);
  for (Index i = 0; i < count; ++i) {
    largest[first + i] = most[i];
    inverse_total[first + i] = total[i];
  }
}

/// p (keys, queries) from its logits, and the gradient of the logits from that of p, which it overwrites:
/// ds = p (dp - sum over keys of p dp), where the sum is dy . y of the query (Dao 2023, section 3.1.2).
template <class C>
inline void logit_gradients(C* p, C* dp, Index keys, Index lanes, const C* most, const C* inverse, const C* dot) {
  using V = vec_for<C>;
  for (Index i = 0; i < lanes; i += V::width) {
    V const m = load<V>(most + i), r = load<V>(inverse + i), d = load<V>(dot + i);
    for (Index j = 0; j < keys; ++j) {
      Index const at = j * attention_tile + i;
      V const x = exp(load<V>(p + at) - m) * r;
      store(p + at, x);
      store(dp + at, x * (load<V>(dp + at) - d));
    }
  }
}

/// What the backward pass keeps of one tile of queries.
template <class C>
struct QueryTile {
  C *q, *dy;                   // (dim, side): transposed; q is scaled
  C* dq;                       // (dim, side): sum so far
  C *q_rows, *dy_rows;         // (side, wide)
  C *largest, *inverse, *dot;  // (side)
};
template <class C>
inline QueryTile<C> query_tile(C* scratch, Index tile, Index dim, Index wide) {
  constexpr Index side = attention_tile;
  C* const at = scratch + tile * side * (3 * dim + 2 * wide + 3);
  C* const rows = at + 3 * dim * side;
  C* const numbers = rows + 2 * wide * side;
  return {at,      at + dim * side, at + 2 * dim * side, rows, rows + wide * side,
          numbers, numbers + side,  numbers + 2 * side};
}

template <class T>
inline void pack_query_tile(const AttentionHead<T>& h, const AttentionGradients<T>& g, Index first, Index count,
                            QueryTile<compute_t<T>> t) {
  using C = compute_t<T>;
  using V = vec_for<T>;
  constexpr Index side = attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim);
  const T* const y = g.y.data + first * g.y.stride;
  const T* const dy = g.dy + first * g.y.stride;
  pack_rows(h.q.data + first * h.q.stride, h.q.stride, count, dim, h.scale, t.q_rows);
  pack_rows(dy, g.y.stride, count, dim, C(1), t.dy_rows);
  pack_transposed(t.q_rows, wide, count, dim, C(1), t.q);
  pack_transposed(t.dy_rows, wide, count, dim, C(1), t.dy);
  for (Index d = 0; d < dim; ++d)
    for (Index i = 0; i < padded<C>(count); ++i) t.dq[d * side + i] = 0;
  for (Index i = 0; i < side; ++i) {  // behind the last query: p = 0
    V product = all<V>(0);
    for (Index d = 0; d < dim && i < count; d += V::width)
      product = fma(load<V>(t.dy_rows + i * wide + d), load_some<V>(y + i * g.y.stride + d, dim - d), product);
    t.dot[i] = sum(product);
    t.largest[i] = i < count ? g.largest[first + i] : 0;
    t.inverse[i] = i < count ? g.inverse_total[first + i] : 0;
  }
}

/// dq, dk and dv of one sample and head.
template <class T>
void attention_backward_head(const AttentionHead<T>& h, const AttentionGradients<T>& g, compute_t<T>* scratch) {
  using C = compute_t<T>;
  constexpr Index side = attention_tile;
  Index const dim = h.dim, wide = padded<C>(dim), tiles = (h.queries + side - 1) / side;
  C* const k = scratch + tiles * side * (3 * dim + 2 * wide + 3);  // (side, wide)
  C* const v = k + side * wide;
  C* const dk = v + side * wide;
  C* const dv = dk + side * wide;
  C* const p = dv + side * wide;    // (side, side): keys, queries
  C* const ds = p + side * side;    // (side, side)
  C* const row = ds + side * side;  // (wide)

  for (Index t = 0; t < tiles; ++t) {
    Index const count = h.queries - t * side < side ? h.queries - t * side : side;
    pack_query_tile(h, g, t * side, count, query_tile(scratch, t, dim, wide));
  }
  for (Index key = 0; key < h.keys; key += side) {
    Index const keys = h.keys - key < side ? h.keys - key : side;
    pack_rows(h.k.data + key * h.k.stride, h.k.stride, keys, dim, C(1), k, rows_ahead(key, keys, h.keys));
    pack_rows(h.v.data + key * h.v.stride, h.v.stride, keys, dim, C(1), v, rows_ahead(key, keys, h.keys));
    for (Index i = 0; i < keys * wide; ++i) dk[i] = dv[i] = 0;
    for (Index t = h.causal ? key / side : 0; t < tiles; ++t) {
      Index const count = h.queries - t * side < side ? h.queries - t * side : side, lanes = padded<C>(count);
      auto const query = query_tile(scratch, t, dim, wide);
      small_product({k, wide, 1}, query.q, side, p, side, keys, lanes, dim, Into::overwrite);
      small_product({v, wide, 1}, query.dy, side, ds, side, keys, lanes, dim, Into::overwrite);
      if (h.causal) mask_later_keys(p, key, keys, t * side, count);
      logit_gradients(p, ds, keys, lanes, query.largest, query.inverse, query.dot);
      small_product({p, side, 1}, query.dy_rows, wide, dv, wide, keys, wide, count, Into::add);
      small_product({ds, side, 1}, query.q_rows, wide, dk, wide, keys, wide, count, Into::add);
      small_product({k, 1, wide}, ds, side, query.dq, side, dim, lanes, keys, Into::add);
    }
    unpack_rows(dk, h.k.stride, keys, dim, C(1), g.dk + key * h.k.stride);
    unpack_rows(dv, h.v.stride, keys, dim, C(1), g.dv + key * h.v.stride);
  }
  for (Index t = 0; t < tiles; ++t) {
    Index const count = h.queries - t * side < side ? h.queries - t * side : side;
    unpack_transposed(query_tile(scratch, t, dim, wide).dq, h.q.stride, count, dim, h.scale, row,
                      g.dq + t * side * h.q.stride);
  }
}
