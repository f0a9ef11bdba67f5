// Kernel text: one sampler step, and sums of two arrays with weights of their own for each sample.

// The smaller or larger of both; a NaN in the second stays one, unlike with min and max the other way round.
template <class V>
inline V bounded(V limit, V value) {
  return min(limit, max(-limit, value));
}

template <class T>
void diffusion_update_range(const UpdateWeights<T>& w, const T* x, const T* prediction, const UpdateExtras<T>& extras,
                            T* out, T* x0, Index begin, Index end) {
  using V = vec_for<T>;
  V const a = all<V>(w.x0_of_x), b = all<V>(w.x0_of_prediction), clip = all<V>(w.clip);
  V const of_x = all<V>(w.x), of_prediction = all<V>(w.prediction), of_x0 = all<V>(w.x0);
  for (Index i = begin; i < end; i += V::width) {
    int const n = static_cast<int>(end - i < V::width ? end - i : V::width);
    V const xs = load<V>(x + i, n), ps = load<V>(prediction + i, n);
    V const x0s = bounded(clip, fma(a, xs, b * ps));
    V sum = fma(of_x0, x0s, fma(of_x, xs, of_prediction * ps));
    for (int k = 0; k < UpdateWeights<T>::max_extras && extras[k] != nullptr; ++k)
      sum = fma(all<V>(w.extra[k]), load<V>(extras[k] + i, n), sum);
    store(out + i, sum, n);
    if (x0 != nullptr) store(x0 + i, x0s, n);
  }
}

// Samples [begin, end).
template <class T, class U>
void mix_rows_range(const U* a, const U* x, const U* b, const U* y, T* out, Index row, Index begin, Index end) {
  using V = vec_for<U>;
  for (Index r = begin; r < end; ++r) {
    V const of_x = all<V>(a[r]), of_y = all<V>(b[r]);
    for (Index i = r * row; i < (r + 1) * row; i += V::width) {
      int const n = static_cast<int>((r + 1) * row - i < V::width ? (r + 1) * row - i : V::width);
      store(out + i, fma(of_x, load<V>(x + i, n), of_y * load<V>(y + i, n)), n);
    }
  }
}
