// Kernel text: the activations as functors of vectors. f(x) is the value, f.derivative(x) the derivative at x.
// Finite inputs of any size give finite results.

// The smaller of x and `bound`, and the larger; a NaN in x stays one.
template <class V>
inline V at_most(V x, double bound) {
  return min(all<V>(static_cast<typename V::element>(bound)), x);
}
template <class V>
inline V at_least(V x, double bound) {
  return max(all<V>(static_cast<typename V::element>(bound)), x);
}

// s(x) and 1 - s(x), both without cancellation. Below -87 e^-x would overflow.
template <class V>
struct SigmoidParts {
  V value, complement;
  explicit SigmoidParts(V x) {
    V const e = exp(-at_least(x, -87));
    value = all<V>(1) / (all<V>(1) + e);
    complement = e * value;
  }
};

struct Identity {
  template <class V>
  V operator()(V x) const {
    return x;
  }
  template <class V>
  V derivative(V) const {
    return all<V>(1);
  }
};

struct Relu {
  template <class V>
  V operator()(V x) const {
    return select(less(x, all<V>(0)), all<V>(0), x);
  }
  template <class V>
  V derivative(V x) const {
    return select(less(all<V>(0), x), all<V>(1), all<V>(0));
  }
};

struct Relu6 {
  template <class V>
  V operator()(V x) const {
    return at_most(at_least(x, 0), 6);
  }
  template <class V>
  V derivative(V x) const {
    return select(less(all<V>(0), x), select(less(x, all<V>(6)), all<V>(1), all<V>(0)), all<V>(0));
  }
};

struct Sigmoid {
  template <class V>
  V operator()(V x) const {
    return sigmoid(x);
  }
  template <class V>
  V derivative(V x) const {
    SigmoidParts<V> const s(x);
    return s.value * s.complement;
  }
};

struct Silu {
  template <class V>
  V operator()(V x) const {
    return x / (all<V>(1) + exp(-x));
  }
  // s + x s (1 - s)
  template <class V>
  V derivative(V x) const {
    SigmoidParts<V> const s(x);
    return fma(at_least(x, -87) * s.value, s.complement, s.value);
  }
};

struct Tanh {
  template <class V>
  V operator()(V x) const {
    return tanh(x);
  }
  template <class V>
  V derivative(V x) const {
    V const t = tanh(x);
    return fma(-t, t, all<V>(1));
  }
};

// The standard normal distribution: e^{-x^2 / 2}, and the probability of a value below x.
#if STIPPLE_ISA_PORTABLE
template <class V>
struct NormalAt {
  V kernel, below;
  explicit NormalAt(V x) {
    for (int i = 0; i < V::width; ++i) {
      auto const a = x.lane[i];
      kernel.lane[i] = std::exp(a * a / -2);
      below.lane[i] = std::erfc(a * static_cast<typename V::element>(-0.70710678118654752)) / 2;
    }
  }
};
#else
// The probability of a value above a = |x| is e^{-a^2 / 2} P(1 / (1 + 0.3 a)); P is a minimax fit on a in [0, 13.2]
// (relative error 9e-8), beyond which the exponential underflows.
template <class V>
struct NormalAt {
  V kernel, below;
  explicit NormalAt(V x) {
    kernel = exp(x * x * all<V>(-0.5f));
    V const t = all<V>(1.0f) / fma(abs(x), all<V>(0.3f), all<V>(1.0f));
    V p = all<V>(0.0383090712f);
    p = fma(p, t, all<V>(-0.16882655f));
    p = fma(p, t, all<V>(0.22795172f));
    p = fma(p, t, all<V>(-0.0756877586f));
    p = fma(p, t, all<V>(0.141963616f));
    p = fma(p, t, all<V>(0.0949300826f));
    p = fma(p, t, all<V>(0.121856458f));
    p = fma(p, t, all<V>(0.119496763f));
    p = fma(p, t, all<V>(6.62921775e-06f));
    V const tail = kernel * p;
    below = select(less(x, all<V>(0.0f)), tail, all<V>(1.0f) - tail);
  }
};
#endif

struct Gelu {
  template <class V>
  V operator()(V x) const {
    return x * NormalAt<V>(x).below;
  }
  // Distribution function + x density
  template <class V>
  V derivative(V x) const {
    NormalAt<V> const at(x);
    V const density = at.kernel * all<V>(static_cast<typename V::element>(0.39894228040143268));  // 1 / sqrt(2 pi)
    return fma(x, density, at.below);
  }
};

// With (1 + tanh u) / 2 = s(2u) this is x s(q(x)), q(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3). Beyond +-16 the gate s is
// 0 or 1 in any precision.
struct GeluTanh {
  static constexpr double linear = 1.5957691216057308, cubic = linear * 0.044715, bound = 16;

  template <class V>
  V factor(V x, double third) const {
    return fma(x * x, all<V>(static_cast<typename V::element>(third)),
               all<V>(static_cast<typename V::element>(linear)));
  }
  template <class V>
  V operator()(V x) const {
    V const b = at_least(at_most(x, bound), -bound);
    return x * sigmoid(b * factor(b, cubic));
  }
  // s + x s (1 - s) q'(x)
  template <class V>
  V derivative(V x) const {
    V const b = at_least(at_most(x, bound), -bound);
    SigmoidParts<V> const s(b * factor(b, cubic));
    return fma(b * s.value * s.complement, factor(b, 3 * cubic), s.value);
  }
};

// With e = e^x and n = e (e + 2), tanh(log(1 + e^x)) = n / (n + 2). Above 20 the quotient is 1 in any precision.
struct Mish {
  static constexpr double bound = 20;

  template <class V>
  V operator()(V x) const {
    V const e = exp(at_most(x, bound));
    V const n = e * (e + all<V>(2));
    return x * (n / (n + all<V>(2)));
  }
  // n / (n + 2) + 4 x e (1 + e) / (n + 2)^2
  template <class V>
  V derivative(V x) const {
    V const b = at_most(x, bound);
    V const e = exp(b);
    V const n = e * (e + all<V>(2));
    V const inverse = all<V>(1) / (n + all<V>(2));
    V const rest = b * (all<V>(4) * e * (all<V>(1) + e) * inverse);
    return (n + rest) * inverse;
  }
};
