// Kernel text: statistics, application and gradients of normalisations over (pixels, channels), read as one flat array
// in tiles. A tile is a whole number of pixels; numbers that belong to channels are laid out over a tile beforehand (a
// "pattern"), so that any number of channels fills whole vectors.

// The first n lanes; with n = width known at compile time this is a plain load or store.
template <class V, class T>
inline V load_lanes(const T* p, int n) {
  return n == V::width ? load<V>(p) : load<V>(p, n);
}
template <class T, class V>
inline void store_lanes(T* p, V v, int n) {
  if (n == V::width)
    store(p, v);
  else
    store(p, v, n);
}

// Moments of n consecutive values. One pass over all of them sums d = x - shift and d^2, where `shift` is the mean of
// the first eighth. For the mean K of any fraction f of the values, (K - mean)^2 <= (1 - f) / f variance, so the
// subtraction below loses at most three bits, whatever the data.
template <class T>
void flat_moments(const T* x, Index n, Moments* out) {
  using V = vec_for<T>;
  using C = compute_t<T>;
  Index const sampled = n < 8 * V::width ? n : n / 8;
  V first = all<V>(0);
  Index i = 0;
  for (; i + V::width <= sampled; i += V::width) first = first + load<V>(x + i);
  if (i < sampled) first = first + load<V>(x + i, static_cast<int>(sampled - i));
  C const shift = sum(first) / static_cast<C>(sampled);

  V const k = all<V>(shift);
  V total[4] = {all<V>(0), all<V>(0), all<V>(0), all<V>(0)};
  V squares[4] = {total[0], total[0], total[0], total[0]};
  i = 0;
  for (; i + 4 * V::width <= n; i += 4 * V::width) {
    for (int j = 0; j < 4; ++j) {
      V const d = load<V>(x + i + j * V::width) - k;
      total[j] = total[j] + d;
      squares[j] = fma(d, d, squares[j]);
    }
  }
  for (; i + V::width <= n; i += V::width) {
    V const d = load<V>(x + i) - k;
    total[0] = total[0] + d;
    squares[0] = fma(d, d, squares[0]);
  }
  double sum_d = sum((total[0] + total[1]) + (total[2] + total[3]));
  double sum_d2 = sum((squares[0] + squares[1]) + (squares[2] + squares[3]));
  for (; i < n; ++i) {
    double const d = static_cast<double>(static_cast<C>(x[i]) - shift);
    sum_d += d;
    sum_d2 += d * d;
  }
  *out = Moments::about(static_cast<double>(shift), sum_d, sum_d2, static_cast<double>(n));
}

// One vector of positions of R consecutive tiles.
template <int R, class T>
inline void tile_sums_step(const T* x, Index tile, Index i, int count, compute_t<T>* total) {
  using V = vec_for<T>;
  V s = load_lanes<V>(total + i, count);
  for (int r = 0; r < R; ++r) s = s + load_lanes<V>(x + r * tile + i, count);
  store_lanes(total + i, s, count);
}
template <int R, class T>
inline void tile_moments_step(const T* x, const compute_t<T>* shift, Index tile, Index i, int count,
                              compute_t<T>* total, compute_t<T>* squares) {
  using V = vec_for<T>;
  V const k = load_lanes<V>(shift + i, count);
  V s = load_lanes<V>(total + i, count), q = load_lanes<V>(squares + i, count);
  for (int r = 0; r < R; ++r) {
    V const d = load_lanes<V>(x + r * tile + i, count) - k;
    s = s + d;
    q = fma(d, d, q);
  }
  store_lanes(total + i, s, count);
  store_lanes(squares + i, q, count);
}
template <int R, class T>
inline void tile_sums_group(const T* x, Index tile, Index length, compute_t<T>* total) {
  constexpr int width = vec_for<T>::width;
  Index i = 0;
  for (; i + width <= length; i += width) tile_sums_step<R>(x, tile, i, width, total);
  if (i < length) tile_sums_step<R>(x, tile, i, static_cast<int>(length - i), total);
}
template <int R, class T>
inline void tile_moments_group(const T* x, const compute_t<T>* shift, Index tile, Index length, compute_t<T>* total,
                               compute_t<T>* squares) {
  constexpr int width = vec_for<T>::width;
  Index i = 0;
  for (; i + width <= length; i += width) tile_moments_step<R>(x, shift, tile, i, width, total, squares);
  if (i < length) tile_moments_step<R>(x, shift, tile, i, static_cast<int>(length - i), total, squares);
}

// total[i] += sum over the tiles of x[i]; n elements.
template <class T>
void tile_sums(const T* x, Index n, Index tile, compute_t<T>* total) {
  Index at = 0;
  for (; at + 4 * tile <= n; at += 4 * tile) tile_sums_group<4>(x + at, tile, tile, total);
  for (; at < n; at += tile) tile_sums_group<1>(x + at, tile, n - at < tile ? n - at : tile, total);
}
// With d = x - shift: total[i] += sum of d[i], squares[i] += sum of d[i]^2.
template <class T>
void tile_moments(const T* x, const compute_t<T>* shift, Index n, Index tile, compute_t<T>* total,
                  compute_t<T>* squares) {
  Index at = 0;
  for (; at + 4 * tile <= n; at += 4 * tile) tile_moments_group<4>(x + at, shift, tile, tile, total, squares);
  for (; at < n; at += tile) tile_moments_group<1>(x + at, shift, tile, n - at < tile ? n - at : tile, total, squares);
}

// y = f((x - mean) scale + shift)
template <class T, class F>
inline void normalise_step(F f, const T* x, NormPatterns<compute_t<T>> p, T* y, Index i, int count) {
  using V = vec_for<T>;
  V const d = load_lanes<V>(x + i, count) - load_lanes<V>(p.mean + i, count);
  store_lanes(y + i, f(fma(d, load_lanes<V>(p.scale + i, count), load_lanes<V>(p.shift + i, count))), count);
}
template <class T, class F>
inline void normalise_all(F f, const T* x, NormPatterns<compute_t<T>> p, T* y, Index n, Index tile) {
  constexpr int width = vec_for<T>::width;
  for (Index at = 0; at < n; at += tile) {
    Index const length = n - at < tile ? n - at : tile;
    Index i = 0;
    for (; i + width <= length; i += width) normalise_step(f, x + at, p, y + at, i, width);
    if (i < length) normalise_step(f, x + at, p, y + at, i, static_cast<int>(length - i));
  }
}
template <class T>
void normalise_tiles(Activation kind, const T* x, NormPatterns<compute_t<T>> p, T* y, Index n, Index tile) {
  switch (kind) {
    case Activation::none:
      return normalise_all(Identity{}, x, p, y, n, tile);
    case Activation::relu:
      return normalise_all(Relu{}, x, p, y, n, tile);
    case Activation::silu:
      return normalise_all(Silu{}, x, p, y, n, tile);
    case Activation::gelu:
      return normalise_all(Gelu{}, x, p, y, n, tile);
    case Activation::gelu_tanh:
      return normalise_all(GeluTanh{}, x, p, y, n, tile);
    case Activation::mish:
      return normalise_all(Mish{}, x, p, y, n, tile);
    case Activation::sigmoid:
      return normalise_all(Sigmoid{}, x, p, y, n, tile);
    case Activation::tanh:
      return normalise_all(Tanh{}, x, p, y, n, tile);
  }
}

// With z the value before the activation f: g = dy f'(z), sum_g += g and sum_gd += g (x - mean). g is kept for the
// second pass unless f is the identity, where it is dy.
template <int R, class T, class F>
inline void gradient_sums_step(F f, const T* dy, const T* x, NormPatterns<compute_t<T>> p, T* g, Index tile, Index i,
                               int count, compute_t<T>* sum_g, compute_t<T>* sum_gd) {
  using V = vec_for<T>;
  V const mean = load_lanes<V>(p.mean + i, count);
  V s = load_lanes<V>(sum_g + i, count), q = load_lanes<V>(sum_gd + i, count);
  for (int r = 0; r < R; ++r) {
    Index const at = r * tile + i;
    V const d = load_lanes<V>(x + at, count) - mean;
    V v = load_lanes<V>(dy + at, count);
    if constexpr (!std::is_same_v<F, Identity>) {
      v = v * f.derivative(fma(d, load_lanes<V>(p.scale + i, count), load_lanes<V>(p.shift + i, count)));
      store_lanes(g + at, v, count);
    }
    s = s + v;
    q = fma(v, d, q);
  }
  store_lanes(sum_g + i, s, count);
  store_lanes(sum_gd + i, q, count);
}
template <int R, class T, class F>
inline void gradient_sums_group(F f, const T* dy, const T* x, NormPatterns<compute_t<T>> p, T* g, Index tile,
                                Index length, compute_t<T>* sum_g, compute_t<T>* sum_gd) {
  constexpr int width = vec_for<T>::width;
  Index i = 0;
  for (; i + width <= length; i += width) gradient_sums_step<R>(f, dy, x, p, g, tile, i, width, sum_g, sum_gd);
  if (i < length) gradient_sums_step<R>(f, dy, x, p, g, tile, i, static_cast<int>(length - i), sum_g, sum_gd);
}
template <class T, class F>
inline void gradient_sums_all(F f, const T* dy, const T* x, NormPatterns<compute_t<T>> p, T* g, Index n, Index tile,
                              compute_t<T>* sum_g, compute_t<T>* sum_gd) {
  Index at = 0;
  for (; at + 4 * tile <= n; at += 4 * tile)
    gradient_sums_group<4>(f, dy + at, x + at, p, g + at, tile, tile, sum_g, sum_gd);
  for (; at < n; at += tile)
    gradient_sums_group<1>(f, dy + at, x + at, p, g + at, tile, n - at < tile ? n - at : tile, sum_g, sum_gd);
}
template <class T>
void gradient_sums(Activation kind, const T* dy, const T* x, NormPatterns<compute_t<T>> p, T* g, Index n, Index tile,
                   compute_t<T>* sum_g, compute_t<T>* sum_gd) {
  switch (kind) {
    case Activation::none:
      return gradient_sums_all(Identity{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::relu:
      return gradient_sums_all(Relu{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::silu:
      return gradient_sums_all(Silu{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::gelu:
      return gradient_sums_all(Gelu{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::gelu_tanh:
      return gradient_sums_all(GeluTanh{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::mish:
      return gradient_sums_all(Mish{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::sigmoid:
      return gradient_sums_all(Sigmoid{}, dy, x, p, g, n, tile, sum_g, sum_gd);
    case Activation::tanh:
      return gradient_sums_all(Tanh{}, dy, x, p, g, n, tile, sum_g, sum_gd);
  }
}

// dx = g scale + (x - mean) slope + shift; `dx` may be `g`.
template <class T>
inline void input_gradient_step(const T* g, const T* x, NormPatterns<compute_t<T>> p, const compute_t<T>* slope, T* dx,
                                Index i, int count) {
  using V = vec_for<T>;
  V const d = load_lanes<V>(x + i, count) - load_lanes<V>(p.mean + i, count);
  V const rest = fma(d, load_lanes<V>(slope + i, count), load_lanes<V>(p.shift + i, count));
  store_lanes(dx + i, fma(load_lanes<V>(g + i, count), load_lanes<V>(p.scale + i, count), rest), count);
}
template <class T>
void input_gradient(const T* g, const T* x, NormPatterns<compute_t<T>> p, const compute_t<T>* slope, T* dx, Index n,
                    Index tile) {
  constexpr int width = vec_for<T>::width;
  for (Index at = 0; at < n; at += tile) {
    Index const length = n - at < tile ? n - at : tile;
    Index i = 0;
    for (; i + width <= length; i += width) input_gradient_step(g + at, x + at, p, slope, dx + at, i, width);
    if (i < length) input_gradient_step(g + at, x + at, p, slope, dx + at, i, static_cast<int>(length - i));
  }
}
