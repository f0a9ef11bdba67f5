// Kernel text: elementwise losses l(d) of d = prediction - target, and their derivatives.

struct SquaredLoss {
  template <class V>
  V value(V d) const {
    return d * d;
  }
  template <class V>
  V slope(V d) const {
    return d + d;
  }
};
struct AbsoluteLoss {
  template <class V>
  V value(V d) const {
    return abs(d);
  }
  template <class V>
  V slope(V d) const {
    V const zero = all<V>(0);
    return select(less(zero, d), all<V>(1), select(less(d, zero), all<V>(-1), d));  // 0 at 0; a NaN stays one
  }
};
// d^2 / (2 edge) * height up to |d| = edge, then height (|d| - edge / 2).
template <class C>
struct QuadraticNearLoss {
  C edge, height;
  template <class V>
  V value(V d) const {
    V const a = abs(d), e = all<V>(edge), h = all<V>(height);
    return select(less(a, e), a * a * (h / (e + e)), h * (a - all<V>(C(0.5)) * e));
  }
  template <class V>
  V slope(V d) const {
    V const e = all<V>(edge), h = all<V>(height);
    V const inside = d * (h / e);
    return select(less(e, d), h, select(less(d, -e), -h, inside));
  }
};

template <class T, class F>
inline compute_t<T> loss_sum_of(F f, const T* prediction, const compute_t<T>* target, Index n) {
  using V = vec_for<T>;
  V total = all<V>(0);
  Index i = 0;
  for (; i + V::width <= n; i += V::width) total = total + f.value(load<V>(prediction + i) - load<V>(target + i));
  if (i < n) {
    int const rest = static_cast<int>(n - i);
    total = total + f.value(load<V>(prediction + i, rest) - load<V>(target + i, rest));
  }
  return sum(total);
}
template <class T, class F>
inline void loss_each_of(F f, const T* prediction, const compute_t<T>* target, compute_t<T>* out, Index n) {
  using V = vec_for<T>;
  for (Index i = 0; i < n; i += V::width) {
    int const rest = static_cast<int>(n - i < V::width ? n - i : V::width);
    store(out + i, f.value(load<V>(prediction + i, rest) - load<V>(target + i, rest)), rest);
  }
}
// out = scale slope(d), times each[i] where given.
template <class T, class F>
inline void loss_slope_of(F f, const T* prediction, const compute_t<T>* target, compute_t<T> scale,
                          const compute_t<T>* each, T* out, Index n) {
  using V = vec_for<T>;
  V const s = all<V>(scale);
  for (Index i = 0; i < n; i += V::width) {
    int const rest = static_cast<int>(n - i < V::width ? n - i : V::width);
    V v = s * f.slope(load<V>(prediction + i, rest) - load<V>(target + i, rest));
    if (each != nullptr) v = v * load<V>(each + i, rest);
    store(out + i, v, rest);
  }
}

template <class T>
void loss_sum(const LossKind<compute_t<T>>& k, const T* prediction, const compute_t<T>* target, Index n,
              compute_t<T>* out) {
  switch (k.form) {
    case LossForm::squared:
      *out = loss_sum_of(SquaredLoss{}, prediction, target, n);
      return;
    case LossForm::absolute:
      *out = loss_sum_of(AbsoluteLoss{}, prediction, target, n);
      return;
    case LossForm::quadratic_near:
      *out = loss_sum_of(QuadraticNearLoss<compute_t<T>>{k.edge, k.height}, prediction, target, n);
      return;
  }
}
template <class T>
void loss_each(const LossKind<compute_t<T>>& k, const T* prediction, const compute_t<T>* target, compute_t<T>* out,
               Index n) {
  switch (k.form) {
    case LossForm::squared:
      return loss_each_of(SquaredLoss{}, prediction, target, out, n);
    case LossForm::absolute:
      return loss_each_of(AbsoluteLoss{}, prediction, target, out, n);
    case LossForm::quadratic_near:
      return loss_each_of(QuadraticNearLoss<compute_t<T>>{k.edge, k.height}, prediction, target, out, n);
  }
}
template <class T>
void loss_slope(const LossKind<compute_t<T>>& k, const T* prediction, const compute_t<T>* target, compute_t<T> scale,
                const compute_t<T>* each, T* out, Index n) {
  switch (k.form) {
    case LossForm::squared:
      return loss_slope_of(SquaredLoss{}, prediction, target, scale, each, out, n);
    case LossForm::absolute:
      return loss_slope_of(AbsoluteLoss{}, prediction, target, scale, each, out, n);
    case LossForm::quadratic_near:
      return loss_slope_of(QuadraticNearLoss<compute_t<T>>{k.edge, k.height}, prediction, target, scale, each, out, n);
  }
}
