// Kernel text for benchmarks/ops/peak.cpp: products and sums that wait for nothing but their own last result.

// Chains of sums side by side: enough to hide the latency of the instruction, few enough to stay in registers.
template <class V>
inline constexpr int peak_chains = V::width > 4 ? 12 : 4;

/// Products of units E (see text/tile.inl), from 16 x 16 numbers that the compiler must not know: chains that it saw to
/// be equal would become one. Adds to `result` what keeps it from leaving them out.
template <class T, class E>
void peak_products(Index rounds, const compute_t<T>* numbers, compute_t<T>* result) {
  using V = vec_for<T>;
  V sums[peak_chains<V>];
  for (auto& s : sums) s = load<V>(numbers + (&s - sums) * V::width);
  V const factor = load<V>(numbers + peak_chains<V> * V::width);
  for (Index i = 0; i < rounds; ++i) {
#if STIPPLE_ISA_AVX512_BF16
    auto const pairs = (__m512bh)factor.v;
    STIPPLE_UNROLL for (auto& s : sums) s.v = _mm512_dpbf16_ps(s.v, pairs, pairs);
#else
    STIPPLE_UNROLL for (auto& s : sums) s = fma(s, factor, factor);
#endif
  }
  V total = sums[0];
  STIPPLE_UNROLL for (auto const& s : sums) total = total + s;
  *result += sum(total);
}

/// Multiplications and additions of one round.
template <class T, class E>
void peak_operations(Index* operations) {
  *operations = 2 * static_cast<Index>(sizeof(E) / sizeof(T)) * peak_chains<vec_for<T>> * vec_for<T>::width;
}
