// Kernel text: what attention does to tiles of logits between its products of bf16 pairs.

/// One step of the online softmax over rows of logits (queries, keys), before `scale`: p = exp(scale logit - largest so
/// far), zero behind the keys; `total` and the rows of the result so far, (queries, dim), are brought to the new
/// largest.
template <class T>
inline void softmax_rows(const LogitTile& t, float scale, float* logits, T* p, float* largest_so_far, float* total,
                         float* result, Index dim) {
  using V = vec_for<T>;
  for (Index i = 0; i < t.queries; ++i) {
    float* const s = logits + i * t.row;
    T* const to = p + i * t.row;
    Index const keys = t.visible_keys(i), whole = keys / V::width * V::width, vectors = padded<float>(keys);
    for (Index j = vectors; j < whole_tiles(t.keys); j += V::width) Result::put(to + j, all<V>(0), V::width);
    if (keys == 0) continue;
    V const before = all<V>(largest_so_far[i]);
    V most = before, added = all<V>(0);
    for (Index j = 0; j < whole; j += V::width) {
      V const x = load<V>(s + j) * all<V>(scale);
      store(s + j, x);
      most = max(most, x);
    }
    for (Index j = whole; j < vectors; ++j) {
      s[j] = j < keys ? s[j] * scale : -std::numeric_limits<float>::infinity();
      most = max(most, all<V>(s[j]));
    }
    largest_so_far[i] = largest(most);
    most = all<V>(largest_so_far[i]);
    for (Index j = 0; j < vectors; j += V::width) {
      V const x = exp(load<V>(s + j) - most);
      Result::put(to + j, x, V::width);
      added = added + x;
    }
    V const decay = exp(before - most);
    total[i] = largest(fma(all<V>(total[i]), decay, all<V>(sum(added))));
    float* const row = result + i * dim;
    for (Index d = 0; d < dim; d += V::width) store(row + d, load<V>(row + d) * decay);
  }
}

/// Rows of the result (queries, dim) over `total`, rounded, to rows `stride` apart; `total` becomes its inverse.
template <class T>
inline void finish_attention_rows(const float* result, float* total, Index queries, Index dim, T* to, Index stride) {
  using V = vec_for<T>;
  for (Index i = 0; i < queries; ++i) {
    total[i] = 1 / total[i];
    for (Index d = 0; d < dim; d += V::width)
      Result::put(to + i * stride + d, load<V>(result + i * dim + d) * all<V>(total[i]), V::width);
  }
}

/// The sum dy . y of each query (Dao 2023, section 3.1.2).
template <class T>
inline void attention_dots(const T* y, const T* dy, Index stride, Index queries, Index dim, float* dot) {
  using V = vec_for<T>;
  for (Index i = 0; i < queries; ++i) {
    V product = all<V>(0);
    for (Index d = 0; d < dim; d += V::width)
      product = fma(load<V>(dy + i * stride + d), load<V>(y + i * stride + d), product);
    dot[i] = sum(product);
  }
}

/// From rows of logits (keys, queries), before `scale`, and the gradients of the probabilities: the probabilities p and
/// the gradients ds = p (dp - dot), both rounded and zero behind keys and queries up to whole tiles. The statistics are
/// those of each query; its inverse total is zero behind the last.
template <class T>
inline void logit_gradient_rows(const LogitTile& t, float scale, const float* logits, const float* gradients,
                                const float* most, const float* inverse, const float* dot, T* p, T* ds) {
  using V = vec_for<T>;
  Index const columns = padded<float>(t.queries), end = whole_tiles(t.queries);
  for (Index j = 0; j < whole_tiles(t.keys); ++j) {
    Index const written = j < t.keys ? columns : 0;
    T* const p_row = p + j * t.row;
    T* const ds_row = ds + j * t.row;
    for (Index i = 0; i < written; i += V::width) {
      V const x = exp(fma(load<V>(logits + j * t.row + i), all<V>(scale), -load<V>(most + i))) * load<V>(inverse + i);
      Result::put(p_row + i, x, V::width);
      Result::put(ds_row + i, x * (load<V>(gradients + j * t.row + i) - load<V>(dot + i)), V::width);
    }
    for (Index i = written; i < end; ++i) p_row[i] = ds_row[i] = T{};
    for (Index i = 0; i < t.blind_queries(j) && i < written; ++i) p_row[i] = ds_row[i] = T{};
  }
}
