// Kernel text: normalisation of rows of n values, and its gradients. Rows lie in the first-level cache, so they are
// read three times: for the mean, for the squares about it (and what the mean still lacked), and to be normalised.

template <class T>
void layer_norm_rows(const T* x, const compute_t<T>* weight, const compute_t<T>* bias, T* y, compute_t<T>* mean,
                     compute_t<T>* rstd, Index rows, Index n, double eps) {
  using V = vec_for<T>;
  using C = compute_t<T>;
  C const share = C(1) / static_cast<C>(n);
  for (Index row = 0; row < rows; ++row, x += n, y += n) {
    V s = all<V>(0);
    for (Index i = 0; i < n; i += V::width)
      s = s + load_lanes<V>(x + i, static_cast<int>(n - i < V::width ? n - i : V::width));
    C const near = sum(s) * share;
    V rest = all<V>(0), squares = all<V>(0);
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      V const d = only_lanes(load_lanes<V>(x + i, count) - all<V>(near), count);
      rest = rest + d;
      squares = fma(d, d, squares);
    }
    C const missing = sum(rest) * share, m = near + missing;
    C const variance = sum(squares) * share - missing * missing;
    C const r = C(1) / std::sqrt((variance > 0 ? variance : variance * 0) + static_cast<C>(eps));
    V const mean_v = all<V>(m), rstd_v = all<V>(r);
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      V const h = (load_lanes<V>(x + i, count) - mean_v) * rstd_v;
      store_lanes(y + i, fma(h, load_lanes<V>(weight + i, count), load_lanes<V>(bias + i, count)), count);
    }
    mean[row] = m;
    rstd[row] = r;
  }
}

// dx, and dweight += sum of dy xhat, dbias += sum of dy over the rows, with xhat = (x - mean) rstd. With g = dy weight,
// dx = rstd (g - mean(g) - xhat mean(g xhat)).
template <class T>
void layer_norm_rows_backward(const T* dy, const T* x, const compute_t<T>* weight, const compute_t<T>* mean,
                              const compute_t<T>* rstd, T* dx, compute_t<T>* dweight, compute_t<T>* dbias, Index rows,
                              Index n) {
  using V = vec_for<T>;
  using C = compute_t<T>;
  C const share = C(1) / static_cast<C>(n);
  for (Index row = 0; row < rows; ++row, dy += n, x += n, dx += n) {
    V const m = all<V>(mean[row]), r = all<V>(rstd[row]);
    V total = all<V>(0), along = all<V>(0);
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      V const h = (load_lanes<V>(x + i, count) - m) * r, v = load_lanes<V>(dy + i, count);
      store_lanes(dweight + i, fma(v, h, load_lanes<V>(dweight + i, count)), count);
      store_lanes(dbias + i, load_lanes<V>(dbias + i, count) + v, count);
      V const g = v * load_lanes<V>(weight + i, count);
      total = total + g;
      along = fma(g, h, along);
    }
    V const a = all<V>(sum(total) * share), b = all<V>(sum(along) * share);
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      V const h = (load_lanes<V>(x + i, count) - m) * r;
      V const g = load_lanes<V>(dy + i, count) * load_lanes<V>(weight + i, count);
      store_lanes(dx + i, (g - fma(h, b, a)) * r, count);
    }
  }
}
