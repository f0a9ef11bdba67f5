// Kernel text: vectors of which only the first n lanes count.

// A plain load or store when n is the width.
template <class V, class T>
inline V load_lanes(const T* p, int n) {
  return n == V::width ? load<V>(p) : load<V>(p, n);
}
template <class T, class V>
inline void store_lanes(T* p, V v, int n) {
  if (n == V::width)
    store(p, v);
  else
    store(p, v, n);
}
// `filler` in the lanes that do not count.
template <class V, class T>
inline V load_filled(const T* p, int n, typename V::element filler) {
  if (n == V::width) return load<V>(p);
  typename V::element padded[V::width];
  for (int i = 0; i < V::width; ++i) padded[i] = i < n ? static_cast<typename V::element>(p[i]) : filler;
  return load<V>(padded);
}
// v, with 0 in the lanes that do not count.
template <class V>
inline V only_lanes(V v, int n) {
  if (n == V::width) return v;
  typename V::element padded[V::width];
  store(padded, v);
  return load<V>(padded, n);
}
