// Kernel text: softmax of rows of n values, and its gradient.

// y = e^(x - largest) / sum of them. `row_exp` holds n values: the exponentials are kept in full precision.
template <class T>
void softmax_rows(const T* x, T* y, compute_t<T>* row_exp, Index rows, Index n) {
  using V = vec_for<T>;
  using C = compute_t<T>;
  for (Index row = 0; row < rows; ++row, x += n, y += n) {
    C const first = static_cast<C>(x[0]);  // stands in the lanes beyond the end, where it changes nothing
    V top = all<V>(first);
    for (Index i = 0; i < n; i += V::width)
      top = max(top, load_filled<V>(x + i, static_cast<int>(n - i < V::width ? n - i : V::width), first));
    V const m = all<V>(largest(top));
    V total = all<V>(0);
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      V const e = only_lanes(exp(load_filled<V>(x + i, count, first) - m), count);
      total = total + e;
      store_lanes(row_exp + i, e, count);
    }
    V const scale = all<V>(C(1) / sum(total));
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      store_lanes(y + i, load_lanes<V>(row_exp + i, count) * scale, count);
    }
  }
}

// dx = y (dy - sum of dy y)
template <class T>
void softmax_rows_backward(const T* dy, const T* y, T* dx, Index rows, Index n) {
  using V = vec_for<T>;
  for (Index row = 0; row < rows; ++row, dy += n, y += n, dx += n) {
    V total = all<V>(0);
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      total = fma(load_lanes<V>(dy + i, count), load_lanes<V>(y + i, count), total);
    }
    V const s = all<V>(sum(total));
    for (Index i = 0; i < n; i += V::width) {
      int const count = static_cast<int>(n - i < V::width ? n - i : V::width);
      store_lanes(dx + i, load_lanes<V>(y + i, count) * (load_lanes<V>(dy + i, count) - s), count);
    }
  }
}
