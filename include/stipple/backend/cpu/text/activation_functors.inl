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
    return x * sigmoid(x);
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

struct Gelu {
  // The distribution function of the standard normal.
  template <class V>
  V normal_cdf(V x) const {
    V const half = all<V>(0.5);
    return fma(half, erf(x * all<V>(static_cast<typename V::element>(0.70710678118654752))), half);
  }
  template <class V>
  V operator()(V x) const {
    return x * normal_cdf(x);
  }
  // cdf + x pdf
  template <class V>
  V derivative(V x) const {
    V const density =
        exp(x * x * all<V>(-0.5)) * all<V>(static_cast<typename V::element>(0.39894228040143268));  // 1 / sqrt(2 pi)
    return fma(x, density, normal_cdf(x));
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
    V const rest = b * all<V>(4) * e * (all<V>(1) + e) * inverse;
    return (n + rest) * inverse;
  }
};
