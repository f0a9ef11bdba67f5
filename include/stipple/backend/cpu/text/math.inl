// Kernel text: exp, sigmoid, tanh and erf of vectors. The portable form asks the C library lane by lane, so it is an
// independent second opinion of the polynomials.

#if STIPPLE_ISA_PORTABLE

template <class C, int N>
inline Pack<C, N> exp(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = std::exp(a.lane[i]);
  return a;
}
template <class C, int N>
inline Pack<C, N> sigmoid(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = C(1) / (C(1) + std::exp(-a.lane[i]));
  return a;
}
template <class C, int N>
inline Pack<C, N> tanh(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = std::tanh(a.lane[i]);
  return a;
}
template <class C, int N>
inline Pack<C, N> erf(Pack<C, N> a) {
  for (int i = 0; i < N; ++i) a.lane[i] = std::erf(a.lane[i]);
  return a;
}

#else

/// e^x to about one unit in the last place; 0 below -104, infinity above 88.8. x = n ln 2 + r, |r| <= ln 2 / 2, and
/// e^r by its Taylor series to r^7 / 7! (remainder 5e-9). A NaN stays one.
inline Vec exp(Vec x) {
  Vec const bounded = max(all<Vec>(-105.0f), min(all<Vec>(89.0f), x));  // the order of operands keeps a NaN
  Vec const n = round(bounded * all<Vec>(1.44269504f));
  Vec r = fma(n, all<Vec>(-0.693145752f), bounded);  // ln 2 in two parts: the first has 11 trailing zero bits
  r = fma(n, all<Vec>(-1.42860677e-6f), r);
  Vec p = all<Vec>(1.0f / 5040);
  p = fma(p, r, all<Vec>(1.0f / 720));
  p = fma(p, r, all<Vec>(1.0f / 120));
  p = fma(p, r, all<Vec>(1.0f / 24));
  p = fma(p, r, all<Vec>(1.0f / 6));
  p = fma(p, r, all<Vec>(0.5f));
  p = fma(p * r, r, r) + all<Vec>(1.0f);
  return scale_by_power(p, n);
}

inline Vec sigmoid(Vec x) { return all<Vec>(1.0f) / (all<Vec>(1.0f) + exp(-x)); }

/// tanh x = 1 - 2 / (e^{2x} + 1), and its Taylor series to x^9 where that form would cancel.
inline Vec tanh(Vec x) {
  Vec const far = all<Vec>(1.0f) - all<Vec>(2.0f) / (exp(x + x) + all<Vec>(1.0f));
  Vec const q = x * x;
  Vec p = all<Vec>(62.0f / 2835);
  p = fma(p, q, all<Vec>(-17.0f / 315));
  p = fma(p, q, all<Vec>(2.0f / 15));
  p = fma(p, q, all<Vec>(-1.0f / 3));
  Vec const near = fma(p * q, x, x);
  return select(less(abs(x), all<Vec>(0.25f)), near, far);
}

/// erf x: Taylor series below 1, and 1 - e^{-x^2} P(1 / (1 + x/2)) above, where P is a least-squares fit of
/// e^{x^2} erfc x of degree 8 on [0.9, 10.2] (relative error 1e-8).
inline Vec erf(Vec x) {
  Vec const q = x * x;
  Vec s = all<Vec>(1.1283791671f / (362880.0f * 19));
  s = fma(-s, q, all<Vec>(1.1283791671f / (40320.0f * 17)));
  s = fma(-s, q, all<Vec>(1.1283791671f / (5040.0f * 15)));
  s = fma(-s, q, all<Vec>(1.1283791671f / (720.0f * 13)));
  s = fma(-s, q, all<Vec>(1.1283791671f / (120.0f * 11)));
  s = fma(-s, q, all<Vec>(1.1283791671f / (24.0f * 9)));
  s = fma(-s, q, all<Vec>(1.1283791671f / (6.0f * 7)));
  s = fma(-s, q, all<Vec>(1.1283791671f / (2.0f * 5)));
  s = fma(-s, q, all<Vec>(1.1283791671f / 3));
  s = fma(-s, q, all<Vec>(1.1283791671f)) * x;
  Vec const a = abs(x);
  Vec const t = all<Vec>(1.0f) / fma(a, all<Vec>(0.5f), all<Vec>(1.0f));
  Vec p = all<Vec>(0.0757813872f);
  p = fma(p, t, all<Vec>(-0.169427816f));
  p = fma(p, t, all<Vec>(0.00483677357f));
  p = fma(p, t, all<Vec>(0.119817547f));
  p = fma(p, t, all<Vec>(0.15179171f));
  p = fma(p, t, all<Vec>(0.254631527f));
  p = fma(p, t, all<Vec>(0.280724183f));
  p = fma(p, t, all<Vec>(0.282222883f));
  p = fma(p, t, all<Vec>(-4.97358954e-06f));
  Vec const e = all<Vec>(1.0f) - exp(-q) * p;
  Vec const far = select(less(x, all<Vec>(0.0f)), -e, e);
  return select(less(a, all<Vec>(1.0f)), s, far);
}

#endif
