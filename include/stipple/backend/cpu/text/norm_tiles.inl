// Kernel text: statistics, application and gradients of normalisations over (pixels, channels), read as one flat array
// in tiles. A tile is a whole number of pixels; numbers that belong to channels are laid out over a tile beforehand (a
// "pattern"), so that any number of channels fills whole vectors.

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

  // Summed in blocks, so that rounding errors grow with the square root of n.
  constexpr Index block = 32 * 4 * V::width;
  V const k = all<V>(shift);
  V total = all<V>(0), squares = total;
  for (i = 0; i + V::width <= n;) {
    V s[4] = {all<V>(0), all<V>(0), all<V>(0), all<V>(0)};
    V q[4] = {s[0], s[0], s[0], s[0]};
    Index const end = n - i < block ? n : i + block;
    for (; i + 4 * V::width <= end; i += 4 * V::width) {
      for (int j = 0; j < 4; ++j) {
        V const d = load<V>(x + i + j * V::width) - k;
        s[j] = s[j] + d;
        q[j] = fma(d, d, q[j]);
      }
    }
    for (; i + V::width <= end; i += V::width) {
      V const d = load<V>(x + i) - k;
      s[0] = s[0] + d;
      q[0] = fma(d, d, q[0]);
    }
    total = total + ((s[0] + s[1]) + (s[2] + s[3]));
    squares = squares + ((q[0] + q[1]) + (q[2] + q[3]));
  }
  double sum_d = sum(total), sum_d2 = sum(squares);
  for (; i < n; ++i) {
    double const d = static_cast<double>(static_cast<C>(x[i]) - shift);
    sum_d += d;
    sum_d2 += d * d;
  }
  *out = Moments::about(static_cast<double>(shift), sum_d, sum_d2, static_cast<double>(n));
}

// With d = x - shift: total[i] += sum over the tiles of d[i], squares[i] += sum of d[i]^2; n elements.
template <class T>
void tile_moments(const T* x, const compute_t<T>* shift, Index n, Index tile, compute_t<T>* total,
                  compute_t<T>* squares) {
  using V = vec_for<T>;
  constexpr Index together = 4;  // tiles, so that the sums are loaded and stored less often
  for (Index first = 0; first < n; first += together * tile) {
    Index const last = n - first < together * tile ? n : first + together * tile;
    for (Index i = 0; i < tile && first + i < last; i += V::width) {
      int const count = static_cast<int>(tile - i < V::width ? tile - i : V::width);
      V const k = load_lanes<V>(shift + i, count);
      V s = load_lanes<V>(total + i, count), q = load_lanes<V>(squares + i, count);
      Index at = first + i;
      for (; at + count <= last; at += tile) {
        V const d = load_lanes<V>(x + at, count) - k;
        s = s + d;
        q = fma(d, d, q);
      }
      store_lanes(total + i, s, count);
      store_lanes(squares + i, q, count);
      for (; at < last; at += tile) {  // the array ends within this vector
        for (Index j = 0; j < last - at; ++j) {
          compute_t<T> const d = static_cast<compute_t<T>>(x[at + j]) - shift[i + j];
          total[i + j] += d;
          squares[i + j] += d * d;
        }
      }
    }
  }
}

// The functions named *_run hold the activation, once: they do whole vectors only, of `length` positions of each of
// `tiles` tiles, and are reached through a pointer, because every copy of an activation costs compile time. What is
// left of a tile passes through them in a padded buffer.

// y = f((x - mean) scale + shift)
template <class T, class F>
void normalise_run(const T* x, NormPatterns<compute_t<T>> p, T* y, Index tiles, Index tile, Index length) {
  using V = vec_for<T>;
  for (Index t = 0; t < tiles; ++t, x += tile, y += tile) {
    for (Index i = 0; i < length; i += V::width) {
      V const d = load<V>(x + i) - load<V>(p.mean + i);
      store(y + i, F{}(fma(d, load<V>(p.scale + i), load<V>(p.shift + i))));
    }
  }
}
template <class T>
auto normalise_run_of(Activation kind) {
  switch (kind) {
    case Activation::relu:
      return normalise_run<T, Relu>;
    case Activation::relu6:
      return normalise_run<T, Relu6>;
    case Activation::silu:
      return normalise_run<T, Silu>;
    case Activation::gelu:
      return normalise_run<T, Gelu>;
    case Activation::gelu_tanh:
      return normalise_run<T, GeluTanh>;
    case Activation::mish:
      return normalise_run<T, Mish>;
    case Activation::sigmoid:
      return normalise_run<T, Sigmoid>;
    case Activation::tanh:
      return normalise_run<T, Tanh>;
    case Activation::none:
      break;
  }
  return normalise_run<T, Identity>;
}
template <class T>
void normalise_tiles(Activation kind, const T* x, NormPatterns<compute_t<T>> p, T* y, Index n, Index tile) {
  constexpr Index width = vec_for<T>::width;
  auto const run = normalise_run_of<T>(kind);
  Index const tiles = n / tile, whole = tile / width * width, done = tiles * tile, rest = (n - done) / width * width;
  run(x, p, y, tiles, tile, whole);
  run(x + done, p, y + done, 1, tile, rest);
  for (Index t = 0; t <= tiles; ++t) {
    Index const from = t < tiles ? whole : rest, left = (t < tiles ? tile : n - done) - from, at = t * tile + from;
    if (left == 0) continue;
    T in[width] = {}, out[width];
    for (Index i = 0; i < left; ++i) in[i] = x[at + i];
    run(in, p.from(from), out, 1, width, width);
    for (Index i = 0; i < left; ++i) y[at + i] = out[i];
  }
}

// With z the value before the activation f: g = dy f'(z), sum_g += g and sum_gd += g (x - mean). g is kept for the
// second pass unless f is the identity, where it is dy.
template <class T, class F>
void gradient_sums_run(const T* dy, const T* x, NormPatterns<compute_t<T>> p, T* g, Index tiles, Index tile,
                       Index length, compute_t<T>* sum_g, compute_t<T>* sum_gd) {
  using V = vec_for<T>;
  constexpr Index together = 4;  // tiles, so that the sums are loaded and stored less often
  for (Index t = 0; t < tiles; t += together) {
    Index const last = (t + together < tiles ? t + together : tiles) * tile;
    for (Index i = 0; i < length; i += V::width) {
      V const mean = load<V>(p.mean + i);
      V s = load<V>(sum_g + i), q = load<V>(sum_gd + i);
      for (Index at = t * tile + i; at < last; at += tile) {
        V const d = load<V>(x + at) - mean;
        V v = load<V>(dy + at);
        if constexpr (!std::is_same_v<F, Identity>) {
          v = v * F{}.derivative(fma(d, load<V>(p.scale + i), load<V>(p.shift + i)));
          store(g + at, v);
        }
        s = s + v;
        q = fma(v, d, q);
      }
      store(sum_g + i, s);
      store(sum_gd + i, q);
    }
  }
}
template <class T>
auto gradient_sums_run_of(Activation kind) {
  switch (kind) {
    case Activation::relu:
      return gradient_sums_run<T, Relu>;
    case Activation::relu6:
      return gradient_sums_run<T, Relu6>;
    case Activation::silu:
      return gradient_sums_run<T, Silu>;
    case Activation::gelu:
      return gradient_sums_run<T, Gelu>;
    case Activation::gelu_tanh:
      return gradient_sums_run<T, GeluTanh>;
    case Activation::mish:
      return gradient_sums_run<T, Mish>;
    case Activation::sigmoid:
      return gradient_sums_run<T, Sigmoid>;
    case Activation::tanh:
      return gradient_sums_run<T, Tanh>;
    case Activation::none:
      break;
  }
  return gradient_sums_run<T, Identity>;
}
template <class T>
void gradient_sums(Activation kind, const T* dy, const T* x, NormPatterns<compute_t<T>> p, T* g, Index n, Index tile,
                   compute_t<T>* sum_g, compute_t<T>* sum_gd) {
  constexpr Index width = vec_for<T>::width;
  auto const run = gradient_sums_run_of<T>(kind);
  Index const tiles = n / tile, whole = tile / width * width, done = tiles * tile, rest = (n - done) / width * width;
  run(dy, x, p, g, tiles, tile, whole, sum_g, sum_gd);
  run(dy + done, x + done, p, g + done, 1, tile, rest, sum_g, sum_gd);
  for (Index t = 0; t <= tiles; ++t) {
    Index const from = t < tiles ? whole : rest, left = (t < tiles ? tile : n - done) - from, at = t * tile + from;
    if (left == 0) continue;
    T dy_in[width] = {}, x_in[width] = {}, g_out[width];
    compute_t<T> s[width] = {}, q[width] = {};
    for (Index i = 0; i < left; ++i) {
      dy_in[i] = dy[at + i];
      x_in[i] = x[at + i];
    }
    run(dy_in, x_in, p.from(from), g_out, 1, width, width, s, q);
    for (Index i = 0; i < left; ++i) {
      if (kind != Activation::none) g[at + i] = g_out[i];
      sum_g[from + i] += s[i];
      sum_gd[from + i] += q[i];
    }
  }
}

// dx = g scale + (x - mean) slope + shift; `dx` may be `g`.
template <class T>
void input_gradient(const T* g, const T* x, NormPatterns<compute_t<T>> p, const compute_t<T>* slope, T* dx, Index n,
                    Index tile) {
  using V = vec_for<T>;
  for (Index at = 0; at < n; at += tile) {
    Index const length = n - at < tile ? n - at : tile;
    for (Index i = 0; i < length; i += V::width) {
      int const count = static_cast<int>(length - i < V::width ? length - i : V::width);
      V const d = load_lanes<V>(x + at + i, count) - load<V>(p.mean + i);
      V const rest = fma(d, load<V>(slope + i), load<V>(p.shift + i));
      store_lanes(dx + at + i, fma(load_lanes<V>(g + at + i, count), load<V>(p.scale + i), rest), count);
    }
  }
}
