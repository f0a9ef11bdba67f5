// Kernel text: updates of a parameter arena, each in one pass over it. Arenas are padded to whole vectors. `gradients`
// are those of [begin, end).

// The arenas tend to lie at equal distances from page boundaries. A processor that compares the lower address bits
// alone holds back a load that follows a store to another arena at the same index, so all loads come before the first
// store.

template <class C>
C gradient_scale_of(const OptimizerArrays<C>& a) {
  return a.gradient_scale != nullptr ? static_cast<C>(*a.gradient_scale) : C(1);
}

template <class C>
void adam_range(AdamUpdate<C> u, OptimizerArrays<C> a, const C* gradients, Index begin, Index end) {
  using V = vec_for<C>;
  V const gradient_scale = all<V>(gradient_scale_of(a)), l2 = all<V>(u.l2), keep = all<V>(u.keep);
  V const rate1 = all<V>(u.rate1), beta2 = all<V>(u.beta2), rate2 = all<V>(u.rate2);
  V const root_scale = all<V>(u.root_scale), epsilon = all<V>(u.epsilon), step_size = all<V>(u.step_size);
  V const average_rate = all<V>(u.average_rate), none = all<V>(0);
  for (Index i = begin; i < end; i += V::width) {
    V w = load<V>(a.weights + i);
    V const g = fma(w, l2, load<V>(gradients + (i - begin)) * gradient_scale);
    V m = load<V>(a.moments[0] + i), v = load<V>(a.moments[1] + i);
    V largest = a.moments[2] != nullptr ? load<V>(a.moments[2] + i) : none;
    V const average = a.average != nullptr ? load<V>(a.average + i) : none;
    m = fma(g - m, rate1, m);
    v = fma(g * g, rate2, v * beta2);
    largest = max(v, largest);  // AMSGrad; without it v itself
    w = w * keep - step_size * m / fma(sqrt(largest), root_scale, epsilon);
    store(a.weights + i, w);
    store(a.moments[0] + i, m);
    store(a.moments[1] + i, v);
    if (a.moments[2] != nullptr) store(a.moments[2] + i, largest);
    if (a.average != nullptr) store(a.average + i, fma(w - average, average_rate, average));
    if (a.working != nullptr) store(a.working + i, w);
  }
}

template <class C>
void sgd_range(SgdUpdate<C> u, OptimizerArrays<C> a, const C* gradients, Index begin, Index end) {
  using V = vec_for<C>;
  V const gradient_scale = all<V>(gradient_scale_of(a)), l2 = all<V>(u.l2), momentum = all<V>(u.momentum);
  V const rate = all<V>(-u.learning_rate), average_rate = all<V>(u.average_rate), none = all<V>(0);
  for (Index i = begin; i < end; i += V::width) {
    V w = load<V>(a.weights + i);
    V const g = fma(w, l2, load<V>(gradients + (i - begin)) * gradient_scale);
    V const before = a.moments[0] != nullptr ? load<V>(a.moments[0] + i) : none;
    V const average = a.average != nullptr ? load<V>(a.average + i) : none;
    V const m = fma(before, momentum, g);  // without momentum g itself
    w = fma(u.nesterov ? fma(m, momentum, g) : m, rate, w);
    store(a.weights + i, w);
    if (a.moments[0] != nullptr) store(a.moments[0] + i, m);
    if (a.average != nullptr) store(a.average + i, fma(w - average, average_rate, average));
    if (a.working != nullptr) store(a.working + i, w);
  }
}

// Sum of x[i]^2 in four interleaved partial sums.
template <class C>
void sum_of_squares_range(const C* x, Index n, C* out) {
  using V = vec_for<C>;
  V part[4] = {all<V>(0), all<V>(0), all<V>(0), all<V>(0)};
  Index i = 0;
  for (; i + 4 * V::width <= n; i += 4 * V::width) {
    for (int k = 0; k < 4; ++k) {
      V const v = load<V>(x + i + k * V::width);
      part[k] = fma(v, v, part[k]);
    }
  }
  for (; i < n; i += V::width) {
    V const v = load<V>(x + i, static_cast<int>(n - i < V::width ? n - i : V::width));
    part[0] = fma(v, v, part[0]);
  }
  *out = sum((part[0] + part[1]) + (part[2] + part[3]));
}

template <class C>
void scale_range(C* x, C factor, Index n) {
  using V = vec_for<C>;
  V const f = all<V>(factor);
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(x + i, load<V>(x + i) * f);
  if (i < n) store(x + i, load<V>(x + i, static_cast<int>(n - i)) * f, static_cast<int>(n - i));
}
