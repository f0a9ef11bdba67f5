// Kernel text: depthwise convolution, vectorised over channels, on a float copy of a padded window.

// Pixels of a row at a time. Images of 28, 14 and 7 pixels a side, as in the U-Nets for MNIST, leave none over.
inline constexpr int depthwise_pixels = 7;

/// Adds `Taps` kernel columns that lie side by side to the sums of neighbouring pixels (stride 1): each input is loaded
/// once and used for all of them.
template <int Taps, class C, class V>
inline void depthwise_neighbours(const C* from, const C* weight, Index step, V (&sum)[depthwise_pixels]) {
  V in[depthwise_pixels + Taps - 1];
  STIPPLE_UNROLL for (int i = 0; i < depthwise_pixels + Taps - 1; ++i) in[i] = load<V>(from + i * step);
  STIPPLE_UNROLL for (int k = 0; k < Taps; ++k) {
    V const w = load<V>(weight + k * step);
    STIPPLE_UNROLL for (int i = 0; i < depthwise_pixels; ++i) sum[i] = fma(in[i + k], w, sum[i]);
  }
}

/// Grid rows [0, rows) of a window (rows_in, columns, width) into out rows of `channels`; weight (taps, width).
template <class T>
void depthwise_rows(const DepthwiseBand<T>& b) {
  using V = vec_for<T>;
  constexpr int pixels = depthwise_pixels;
  bool const neighbours = b.stride == 1 && b.dilation == 1;
  for (Index c = 0; c < b.channels; c += V::width) {
    int const n = static_cast<int>(b.channels - c < V::width ? b.channels - c : V::width);
    V start = all<V>(0);
    if (b.bias != nullptr) start = load<V>(b.bias + c, n);
    if (b.addend != nullptr) start = start + load<V>(b.addend + c, n);
    for (Index r = 0; r < b.rows; ++r) {
      for (Index x0 = 0; x0 < b.grid_w; x0 += pixels) {
        // The last group of pixels starts early and repeats some, so that the inner loop has a fixed length.
        Index const x = x0 + pixels <= b.grid_w || b.grid_w < pixels ? x0 : b.grid_w - pixels;
        V sum[pixels];
        STIPPLE_UNROLL for (int i = 0; i < pixels; ++i) sum[i] = start;
        for (Index ky = 0; ky < b.kh; ++ky) {
          auto const* from = b.window + ((r * b.stride + ky * b.dilation) * b.columns + x * b.stride) * b.width + c;
          auto const* w = b.weight + ky * b.kw * b.width + c;
          Index kx = 0;
          if (neighbours) {
            for (; kx + 7 <= b.kw; kx += 7)
              depthwise_neighbours<7>(from + kx * b.width, w + kx * b.width, b.width, sum);
            for (; kx + 3 <= b.kw; kx += 3)
              depthwise_neighbours<3>(from + kx * b.width, w + kx * b.width, b.width, sum);
          }
          for (; kx < b.kw; ++kx) {
            V const k = load<V>(w + kx * b.width);
            STIPPLE_UNROLL for (int i = 0; i < pixels; ++i) sum[i] =
                fma(load<V>(from + (kx * b.dilation + i * b.stride) * b.width), k, sum[i]);
          }
        }
        T* const to = b.out + ((r * b.grid_w) + x) * b.channels + c;
        int const count = static_cast<int>(b.grid_w - x < pixels ? b.grid_w - x : pixels);
        for (int i = 0; i < count; ++i) {
          V v = sum[i];
          if (b.residual != nullptr) v = v + load<V>(b.residual + (to - b.out) + i * b.channels, n);
          store(to + i * b.channels, v, n);
        }
      }
    }
  }
}

/// Adds to dw (taps, width) the products of `Taps` kernel columns from kx on.
template <int Taps, class T>
inline void depthwise_weight_columns(const DepthwiseBand<T>& b, const compute_t<T>* dy, compute_t<T>* dw, Index kx) {
  using V = vec_for<T>;
  for (Index c = 0; c < b.width; c += V::width) {
    for (Index ky = 0; ky < b.kh; ++ky) {
      V sum[Taps];
      compute_t<T>* const to = dw + (ky * b.kw + kx) * b.width + c;
      STIPPLE_UNROLL for (int i = 0; i < Taps; ++i) sum[i] = load<V>(to + i * b.width);
      for (Index r = 0; r < b.rows; ++r) {
        auto const* from = b.window + ((r * b.stride + ky * b.dilation) * b.columns + kx * b.dilation) * b.width + c;
        auto const* g = dy + r * b.grid_w * b.width + c;
        for (Index x = 0; x < b.grid_w; ++x) {
          V const v = load<V>(g);
          STIPPLE_UNROLL for (int i = 0; i < Taps; ++i) sum[i] =
              fma(load<V>(from + i * b.dilation * b.width), v, sum[i]);
          from += b.stride * b.width;
          g += b.width;
        }
      }
      STIPPLE_UNROLL for (int i = 0; i < Taps; ++i) store(to + i * b.width, sum[i]);
    }
  }
}
template <class T>
void depthwise_weight_gradient(const DepthwiseBand<T>& b, const compute_t<T>* dy, compute_t<T>* dw) {
  Index kx = 0;
  for (; kx + 7 <= b.kw; kx += 7) depthwise_weight_columns<7>(b, dy, dw, kx);
  for (; kx + 3 <= b.kw; kx += 3) depthwise_weight_columns<3>(b, dy, dw, kx);
  for (; kx < b.kw; ++kx) depthwise_weight_columns<1>(b, dy, dw, kx);
}

/// Rows of a padded window: (rows, columns, width) from an image (h, w, channels), zero outside and past the channels.
template <class T>
void depthwise_window(const T* image, Index h, Index w, Index channels, Index spread, Index top, Index left, Index rows,
                      Index columns, Index width, compute_t<T>* to) {
  using V = vec_for<T>;
  std::memset(to, 0, static_cast<std::size_t>(rows * columns * width) * sizeof *to);
  for (Index r = 0; r < rows; ++r) {
    Index const y = top + r;
    if (y < 0 || y % spread != 0 || y / spread >= h) continue;
    for (Index j = 0; j < columns; ++j) {
      Index const x = left + j;
      if (x < 0 || x % spread != 0 || x / spread >= w) continue;
      const T* const from = image + (y / spread * w + x / spread) * channels;
      compute_t<T>* const pixel = to + (r * columns + j) * width;
      for (Index c = 0; c < channels; c += V::width)
        store(pixel + c, load<V>(from + c, static_cast<int>(channels - c < V::width ? channels - c : V::width)));
    }
  }
}
