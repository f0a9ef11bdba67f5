// Kernel text for tests/core/simd.cpp: single vector operations, compiled once an instruction set.

// y[i] = f(x[i]), in whole vectors and a partial one.
template <class T, class U>
void probe_unary(Function f, const T* x, U* y, Index n) {
  using V = vec_for<T>;
  for (Index i = 0; i < n; i += V::width) {
    int const rest = static_cast<int>(n - i < V::width ? n - i : V::width);
    V const v = load<V>(x + i, rest);
    switch (f) {
      case Function::copy:
        store(y + i, v, rest);
        break;
      case Function::exp:
        store(y + i, exp(v), rest);
        break;
      case Function::sigmoid:
        store(y + i, sigmoid(v), rest);
        break;
      case Function::tanh:
        store(y + i, tanh(v), rest);
        break;
      case Function::erf:
        store(y + i, erf(v), rest);
        break;
      case Function::sqrt:
        store(y + i, sqrt(v), rest);
        break;
      case Function::abs:
        store(y + i, abs(v), rest);
        break;
      case Function::negate:
        store(y + i, -v, rest);
        break;
    }
  }
}
template <class T, class U>
void probe_whole(const T* x, U* y) {
  using V = vec_for<T>;
  store(y, load<V>(x));
}
template <class T>
void probe_width(int* width) {
  *width = vec_for<T>::width;
}
// results[0..7]: a + b, a - b, a * b, a / b, fma(a, b, b), min, max, select(a < b, a, b); each a vector.
template <class T>
void probe_binary(const T* a, const T* b, T* results) {
  using V = vec_for<T>;
  V const x = load<V>(a), y = load<V>(b);
  V const all_results[8] = {x + y, x - y, x * y, x / y, fma(x, y, y), min(x, y), max(x, y), select(less(x, y), x, y)};
  for (int i = 0; i < 8; ++i) store(results + i * V::width, all_results[i]);
}
template <class T>
void probe_reduce(const T* a, T* total, T* most) {
  using V = vec_for<T>;
  *total = sum(load<V>(a));
  *most = largest(load<V>(a));
}
