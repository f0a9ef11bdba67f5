// Kernel text: losses of a difference d with a parameter p, their derivatives, and cross entropy. A NaN stays one.

struct MseLoss {
  template <class V>
  V value(V d, V) const {
    return d * d;
  }
  template <class V>
  V slope(V d, V) const {
    return d + d;
  }
};
struct L1Loss {
  template <class V>
  V value(V d, V) const {
    return abs(d);
  }
  template <class V>
  V slope(V d, V) const {
    V const zero = all<V>(0), one = all<V>(1);
    return select(less(zero, d), one, select(less(d, zero), -one, d));
  }
};
struct HuberLoss {
  template <class V>
  V value(V d, V p) const {
    V const a = abs(d), half = all<V>(typename V::element(0.5));
    return select(less(p, a), p * (a - half * p), half * d * d);
  }
  template <class V>
  V slope(V d, V p) const {
    return select(less(p, d), p, select(less(d, -p), -p, d));
  }
};
struct SmoothL1Loss {
  template <class V>
  V value(V d, V p) const {
    V const a = abs(d), half = all<V>(typename V::element(0.5));
    return select(less(a, p), half * d * d / p, a - half * p);
  }
  template <class V>
  V slope(V d, V p) const {
    return select(less(abs(d), p), d / p, L1Loss{}.slope(d, p));
  }
};

template <class T, class U, class F>
inline compute_t<T> sum_of_losses(F f, compute_t<T> parameter, const T* x, const U* y, Index n) {
  using V = vec_for<T>;
  V const p = all<V>(parameter);
  V total[4] = {all<V>(0), all<V>(0), all<V>(0), all<V>(0)};
  Index i = 0;
  for (; i + 4 * V::width <= n; i += 4 * V::width)
    for (int k = 0; k < 4; ++k) {
      Index const at = i + k * V::width;
      total[k] = total[k] + f.value(load<V>(x + at) - load<V>(y + at), p);
    }
  for (; i < n; i += V::width) {  // lanes beyond the end hold zeros, whose loss is zero
    int const lanes = static_cast<int>(n - i < V::width ? n - i : V::width);
    total[0] = total[0] + f.value(load<V>(x + i, lanes) - load<V>(y + i, lanes), p);
  }
  return sum((total[0] + total[1]) + (total[2] + total[3]));
}
template <class T, class U>
void loss_sum_range(LossKind kind, compute_t<T> parameter, const T* x, const U* y, compute_t<T>* result, Index n) {
  switch (kind) {
    case LossKind::mse:
      *result = sum_of_losses(MseLoss{}, parameter, x, y, n);
      break;
    case LossKind::l1:
      *result = sum_of_losses(L1Loss{}, parameter, x, y, n);
      break;
    case LossKind::huber:
      *result = sum_of_losses(HuberLoss{}, parameter, x, y, n);
      break;
    case LossKind::smooth_l1:
      *result = sum_of_losses(SmoothL1Loss{}, parameter, x, y, n);
      break;
  }
}

template <class T, class U, class F>
inline void each_loss(F f, compute_t<T> parameter, const T* x, const U* y, compute_t<T>* out, Index n) {
  using V = vec_for<T>;
  V const p = all<V>(parameter);
  for (Index i = 0; i < n; i += V::width) {
    int const lanes = static_cast<int>(n - i < V::width ? n - i : V::width);
    store(out + i, f.value(load<V>(x + i, lanes) - load<V>(y + i, lanes), p), lanes);
  }
}
template <class T, class U>
void loss_range(LossKind kind, compute_t<T> parameter, const T* x, const U* y, compute_t<T>* out, Index n) {
  switch (kind) {
    case LossKind::mse:
      return each_loss(MseLoss{}, parameter, x, y, out, n);
    case LossKind::l1:
      return each_loss(L1Loss{}, parameter, x, y, out, n);
    case LossKind::huber:
      return each_loss(HuberLoss{}, parameter, x, y, out, n);
    case LossKind::smooth_l1:
      return each_loss(SmoothL1Loss{}, parameter, x, y, out, n);
  }
}

template <class T, class U, class O, class F>
inline void each_slope(F f, compute_t<T> parameter, const T* x, const U* y, const compute_t<T>* dy, bool common,
                       compute_t<T> scale, O* dx, Index n) {
  using V = vec_for<T>;
  V const p = all<V>(parameter), factor = all<V>(common ? scale * dy[0] : scale);
  for (Index i = 0; i < n; i += V::width) {
    int const lanes = static_cast<int>(n - i < V::width ? n - i : V::width);
    V const slope = f.slope(load<V>(x + i, lanes) - load<V>(y + i, lanes), p);
    V const g = common ? factor : factor * load<V>(dy + i, lanes);
    store(dx + i, g * slope, lanes);
  }
}
template <class T, class U, class O>
void loss_range_backward(LossKind kind, compute_t<T> parameter, const T* x, const U* y, const compute_t<T>* dy,
                         bool common, compute_t<T> scale, O* dx, Index n) {
  switch (kind) {
    case LossKind::mse:
      return each_slope(MseLoss{}, parameter, x, y, dy, common, scale, dx, n);
    case LossKind::l1:
      return each_slope(L1Loss{}, parameter, x, y, dy, common, scale, dx, n);
    case LossKind::huber:
      return each_slope(HuberLoss{}, parameter, x, y, dy, common, scale, dx, n);
    case LossKind::smooth_l1:
      return each_slope(SmoothL1Loss{}, parameter, x, y, dy, common, scale, dx, n);
  }
}

template <class T>
void cross_entropy_row(const T* x, std::int32_t label, compute_t<T> smoothing, compute_t<T>* loss,
                       compute_t<T>* normaliser, Index classes) {
  using V = vec_for<T>;
  auto most = static_cast<compute_t<T>>(x[0]);
  for (Index i = 1; i < classes; ++i) {
    auto const v = static_cast<compute_t<T>>(x[i]);
    if (v > most) most = v;
  }
  V const shift = all<V>(most);
  V exponentials = all<V>(0), logits = all<V>(0);
  Index i = 0;
  for (; i + V::width <= classes; i += V::width) {
    V const v = load<V>(x + i) - shift;
    exponentials = exponentials + exp(v);
    logits = logits + v;
  }
  compute_t<T> total = sum(exponentials), logit_total = sum(logits);
  if (i < classes) {
    int const lanes = static_cast<int>(classes - i);
    V const v = load<V>(x + i, lanes) - shift;
    compute_t<T> rest[V::width], powers[V::width];
    store(rest, v);
    store(powers, exp(v));
    for (int k = 0; k < lanes; ++k) {
      total += powers[k];
      logit_total += rest[k];
    }
  }
  // With logits relative to the largest: loss = log total - (1 - smoothing) x[label] - smoothing mean(x).
  auto const log_total = std::log(total);
  *normaliser = most + log_total;
  *loss = log_total - (1 - smoothing) * (static_cast<compute_t<T>>(x[label]) - most);
  if (smoothing != 0) *loss -= smoothing * logit_total / static_cast<compute_t<T>>(classes);
}

template <class T>
void cross_entropy_row_backward(const T* x, std::int32_t label, compute_t<T> smoothing, compute_t<T> normaliser,
                                compute_t<T> g, T* dx, Index classes) {
  using V = vec_for<T>;
  compute_t<T> const base = smoothing / static_cast<compute_t<T>>(classes);
  V const shift = all<V>(normaliser), everywhere = all<V>(base), factor = all<V>(g);
  for (Index i = 0; i < classes; i += V::width) {
    int const lanes = static_cast<int>(classes - i < V::width ? classes - i : V::width);
    store(dx + i, (exp(load<V>(x + i, lanes) - shift) - everywhere) * factor, lanes);
  }
  auto const probability = std::exp(static_cast<compute_t<T>>(x[label]) - normaliser);
  dx[label] = static_cast<T>((probability - base - (1 - smoothing)) * g);
}
