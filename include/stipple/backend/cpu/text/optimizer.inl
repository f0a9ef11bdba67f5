// Kernel text: updates of a parameter arena, each in one pass over it. Arenas are padded to whole vectors.

// The new weight, and what follows it: the moving average and the bf16 working copy.
template <class C, class V>
inline void put_weight(const OptimizerArrays<C>& a, Index i, V w, V average_rate) {
  store(a.weights + i, w);
  if (a.average != nullptr) {
    V const e = load<V>(a.average + i);
    store(a.average + i, fma(w - e, average_rate, e));
  }
  if (a.working != nullptr) store(a.working + i, w);
}

template <class C>
void adam_range(AdamUpdate<C> u, OptimizerArrays<C> a, Index begin, Index end) {
  using V = vec_for<C>;
  V const gradient_scale = all<V>(u.gradient_scale), l2 = all<V>(u.l2), keep = all<V>(u.keep);
  V const rate1 = all<V>(u.rate1), beta2 = all<V>(u.beta2), rate2 = all<V>(u.rate2);
  V const root_scale = all<V>(u.root_scale), epsilon = all<V>(u.epsilon), step_size = all<V>(u.step_size);
  V const average_rate = all<V>(u.average_rate);
  for (Index i = begin; i < end; i += V::width) {
    V const w = load<V>(a.weights + i);
    V const g = fma(w, l2, load<V>(a.gradients + i) * gradient_scale);
    V m = load<V>(a.moments[0] + i);
    m = fma(g - m, rate1, m);
    store(a.moments[0] + i, m);
    V v = fma(g * g, rate2, load<V>(a.moments[1] + i) * beta2);
    store(a.moments[1] + i, v);
    if (a.moments[2] != nullptr) {  // AMSGrad: the largest second moment so far
      v = max(v, load<V>(a.moments[2] + i));
      store(a.moments[2] + i, v);
    }
    put_weight(a, i, w * keep - step_size * m / fma(sqrt(v), root_scale, epsilon), average_rate);
  }
}

template <class C>
void sgd_range(SgdUpdate<C> u, OptimizerArrays<C> a, Index begin, Index end) {
  using V = vec_for<C>;
  V const gradient_scale = all<V>(u.gradient_scale), l2 = all<V>(u.l2), momentum = all<V>(u.momentum);
  V const rate = all<V>(-u.learning_rate), average_rate = all<V>(u.average_rate);
  for (Index i = begin; i < end; i += V::width) {
    V const w = load<V>(a.weights + i);
    V g = fma(w, l2, load<V>(a.gradients + i) * gradient_scale);
    if (a.moments[0] != nullptr) {
      V const m = fma(load<V>(a.moments[0] + i), momentum, g);
      store(a.moments[0] + i, m);
      g = u.nesterov ? fma(m, momentum, g) : m;
    }
    put_weight(a, i, fma(g, rate, w), average_rate);
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
