// Kernel text: the largest element of a range, and scaled copies.

template <class T>
void max_range(const T* x, T* result, Index n) {
  using V = vec_for<T>;
  V most = all<V>(static_cast<compute_t<T>>(x[0]));
  Index i = 0;
  for (; i + V::width <= n; i += V::width) {
    V const v = load<V>(x + i);
    most = select(less(most, v), v, select(is_nan(v), v, most));
  }
  compute_t<T> lanes[V::width];
  store(lanes, most);
  compute_t<T> best = lanes[0];
  for (Index k = 1; k < V::width + n - i; ++k) {  // the lanes, then the rest of x
    auto const v = k < V::width ? lanes[k] : static_cast<compute_t<T>>(x[i + k - V::width]);
    if (v > best || v != v) best = v;
  }
  *result = static_cast<T>(best);
}

// y[i] = scale g[i], from the compute type.
template <class T>
void scale_range(const compute_t<T>* g, compute_t<T> scale, T* y, Index n) {
  using V = vec_for<T>;
  V const factor = all<V>(scale);
  for (Index i = 0; i < n; i += V::width) {
    int const lanes = static_cast<int>(n - i < V::width ? n - i : V::width);
    store(y + i, load<V>(g + i, lanes) * factor, lanes);
  }
}
