// Kernel text: sin(2 pi f t) and cos(2 pi f t) for a table of frequencies f.

#if STIPPLE_ISA_PORTABLE

template <class T>
void sines_and_cosines(compute_t<T> t, TurnView table, T* sines, T* cosines) {
  for (Index i = 0; i < table.count; ++i) {
    double const angle = 6.283185307179586 * table.turns[i] * static_cast<double>(t);
    sines[i] = static_cast<T>(std::sin(angle));
    cosines[i] = static_cast<T>(std::cos(angle));
  }
}

#else

// The product f t is formed to twice the precision of float, so that whole turns can be taken off exactly; what is left
// lies within an eighth of a turn of a quarter q, and both functions are their Taylor series there.
template <class T>
void sines_and_cosines(float t, TurnView table, T* sines, T* cosines) {
  Vec const one = all<Vec>(1.0f), half = all<Vec>(0.5f), time = all<Vec>(t);
  for (Index i = 0; i < table.count; i += Vec::width) {
    int const lanes_used = static_cast<int>(table.count - i < Vec::width ? table.count - i : Vec::width);
    Vec const upper = load<Vec>(table.upper + i, lanes_used), lower = load<Vec>(table.lower + i, lanes_used);
    Vec const product = time * upper;
    Vec const rest = fma(time, lower, fma(time, upper, -product));
    Vec turn = (product - round(product)) + rest;
    turn = turn - round(turn);  // [-1/2, 1/2]
    Vec const q = round(turn * all<Vec>(4.0f));
    Vec const x = fma(q, all<Vec>(-0.25f), turn) * all<Vec>(6.28318531f);
    Vec const x2 = x * x;
    Vec s = all<Vec>(1.0f / 362880);
    s = fma(s, x2, all<Vec>(-1.0f / 5040));
    s = fma(s, x2, all<Vec>(1.0f / 120));
    s = fma(s, x2, all<Vec>(-1.0f / 6));
    s = fma(s * x2, x, x);
    Vec c = all<Vec>(-1.0f / 3628800);
    c = fma(c, x2, all<Vec>(1.0f / 40320));
    c = fma(c, x2, all<Vec>(-1.0f / 720));
    c = fma(c, x2, all<Vec>(1.0f / 24));
    c = fma(c, x2, all<Vec>(-0.5f));
    c = fma(c, x2, one);
    // q is -2, -1, 0, 1 or 2.
    auto const opposite = less(one + half, abs(q));
    auto const odd = less(abs(abs(q) - one), half);
    Vec const sign = select(less(q, all<Vec>(0.0f)), -one, one);
    Vec const sine = select(odd, c * sign, select(opposite, -s, s));
    Vec const cosine = select(odd, -(s * sign), select(opposite, -c, c));
    store(sines + i, sine, lanes_used);
    store(cosines + i, cosine, lanes_used);
  }
}

#endif
