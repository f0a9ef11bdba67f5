// Kernel text: the squared distance from each point to the nearest of another set.

// Points [begin, end) of `a`, which is (n, d), against `b`, which is (d, m) with m a multiple of the vector's width.
// Lanes hold different points of `b`, so the loop over coordinates needs no sum across lanes.
template <class T>
void nearest_squared_range(const T* a, const T* b, T* best, Index m, Index d, Index begin, Index end) {
  using V = vec_for<T>;
  for (Index i = begin; i < end; ++i) {
    const T* const point = a + i * d;
    V least = all<V>(std::numeric_limits<T>::infinity());
    for (Index j = 0; j < m; j += V::width) {
      V total = all<V>(0);
      for (Index k = 0; k < d; ++k) {
        V const difference = load<V>(b + k * m + j) - all<V>(point[k]);
        total = fma(difference, difference, total);
      }
      least = min(least, total);
    }
    best[i] = -largest(-least);
  }
}
