// Kernel text for benchmarks/ops/peak.cpp: products and sums that wait for nothing but their own last result.

// Chains of sums side by side: enough to hide the latency of the instruction, few enough to stay in registers.
template <class V>
inline constexpr int peak_chains = V::width > 4 ? 12 : 4;

/// Products of units E (see text/tile.inl): adds to `result` what keeps the compiler from leaving them out.
template <class T, class E>
void peak_products(Index rounds, compute_t<T> value, compute_t<T>* result) {
  using V = vec_for<T>;
  V sums[peak_chains<V>];
  STIPPLE_UNROLL for (auto& s : sums) s = all<V>(value);
  V const factor = all<V>(value);
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
