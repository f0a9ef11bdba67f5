// Kernel text: weight gradient of a 3x3 convolution by minimal filtering: G' [(A dy A') o (B' d B)] G, summed over
// tiles between the brackets.

/// A y: points of Tile gradients of results.
template <int Tile, class V>
inline void winograd_of_gradient(const V* y, V* v) {
  constexpr auto& w = winograd<Tile>;
  constexpr int z = w.zero;
  if (z == 1) v[0] = y[0];
  STIPPLE_UNROLL for (int k = 0; k < w.pairs; ++k) {
    V even = y[0], odd = all<V>(w.power[1][k]) * y[1];
    STIPPLE_UNROLL for (int i = 2; i < Tile; ++i) {
      V& sum = i % 2 == 0 ? even : odd;
      sum = fma(all<V>(w.power[i][k]), y[i], sum);
    }
    v[z + 2 * k] = even + odd;
    v[z + 2 * k + 1] = even - odd;
  }
  v[w.points - 1] = y[Tile - 1];
}

/// G' m: the gradients of three weights.
template <int Tile, class V>
inline void winograd_to_weight(const V* m, V* g) {
  constexpr auto& w = winograd<Tile>;
  constexpr int z = w.zero;
  STIPPLE_UNROLL for (int k = 0; k < w.pairs; ++k) {
    V const sum = m[z + 2 * k] + m[z + 2 * k + 1], difference = m[z + 2 * k] - m[z + 2 * k + 1];
    V const even = w.odd ? difference : sum, odd = w.odd ? sum : difference;
    g[0] = k == 0 ? all<V>(w.scale[0][k]) * even : fma(all<V>(w.scale[0][k]), even, g[0]);
    g[1] = k == 0 ? all<V>(w.scale[1][k]) * odd : fma(all<V>(w.scale[1][k]), odd, g[1]);
    g[2] = fma(all<V>(w.scale[2][k]), even, k == 0 ? m[w.points - 1] : g[2]);
  }
  if (z == 1) g[0] = fma(all<V>(w.zero_scale), m[0], g[0]);
}

/// The points of rows of tiles [begin, end) of the source to left (points, tile, channel), and of dy, the source of
/// `o`, to right (points, group of two vectors of outputs, tile, vectors).
template <int Tile, class T>
void winograd_gradient_rows(const ConvGather<T>& g, const ConvGather<T>& o, const WinogradPlan& p,
                            const WinogradChunk& chunk, float* left, float* right, Index begin, Index end) {
  using V = vec_for<T>;
  constexpr int points = winograd<Tile>.points;
  constexpr Index pair = 2 * V::width;
  Scratch<T> const window(points * g.plane_columns * p.channels), results(Tile * o.plane_columns * p.outputs);
  for (Index row = begin; row < end; ++row) {
    Index const first = (row - chunk.begin) * p.tiles_w;
    winograd_input_row<Tile>(g, p, row, window.data(), left + first * chunk.left_row, chunk.left_row, chunk.left_plane);
    pack_window<T, T>(o, row / p.tiles_h, row % p.tiles_h * Tile, Tile, results.data());
    for (Index tile = 0; tile < p.tiles_w; ++tile) {
      for (Index column = 0; column < p.width(); column += V::width) {
        const T* const from = results.data() + tile * Tile * p.outputs + column;
        V half[points][Tile];
        for (int x = 0; x < Tile; ++x) {
          V y[Tile], v[points];
          STIPPLE_UNROLL for (int i = 0; i < Tile; ++i) y[i] = load<V>(from + (i * o.plane_columns + x) * p.outputs);
          winograd_of_gradient<Tile>(y, v);
          STIPPLE_UNROLL for (int i = 0; i < points; ++i) half[i][x] = v[i];
        }
        Index const group = column / pair * pair, pitch = winograd_group(p.width() - group);
        float* const to = right + group * chunk.tiles + (first + tile) * pitch + column - group;
        for (int y = 0; y < points; ++y) {
          V v[points];
          winograd_of_gradient<Tile>(half[y], v);
          STIPPLE_UNROLL for (int x = 0; x < points; ++x) {
            store(to + (y * points + x) * chunk.right_plane, v[x]);
            __builtin_prefetch(to + (y * points + x) * chunk.right_plane + pair, 1, 3);
          }
        }
      }
    }
  }
}

/// Sums over the tiles of a chunk for pairs of points [begin, end).
inline void winograd_gradient_points(const WinogradPlan& p, const WinogradChunk& chunk, const float* left,
                                     const float* right, float* sums, Into into, Index begin, Index end) {
  for (Index f = begin; f < end; ++f)
    winograd_point({left + f * chunk.left_plane, 1, chunk.left_row}, right + f * chunk.right_plane,
                   sums + f * p.weight_plane(), p.channels, p.width(), chunk.tiles, into);
}

/// The gradients of the weights of channels [begin, end) and `outputs` outputs from `first` on, from sums (points,
/// channel, `width` outputs), of which `sums` has the first.
template <int Tile, class T>
void winograd_gradient_weights(const ConvGather<T>& g, const WinogradPlan& p, const float* sums, Index width,
                               Index plane, float* dw, Index begin, Index end, Index first, Index outputs) {
  using V = vec_for<T>;
  constexpr int points = winograd<Tile>.points;
  for (Index channel = begin; channel < end; ++channel) {
    for (Index column = 0; column < outputs; column += V::width) {
      const float* const from = sums + (channel - begin) * width + column;
      V half[3][points];
      for (int x = 0; x < points; ++x) {
        V m[points], taps[3];
        STIPPLE_UNROLL for (int y = 0; y < points; ++y) {
          m[y] = load<V>(from + (y * points + x) * plane);
          __builtin_prefetch(from + (y * points + x) * plane + V::width, 0, 3);
        }
        winograd_to_weight<Tile>(m, taps);
        STIPPLE_UNROLL for (int y = 0; y < 3; ++y) half[y][x] = taps[y];
      }
      for (int y = 0; y < 3; ++y) {
        V taps[3];
        winograd_to_weight<Tile>(half[y], taps);
        for (int x = 0; x < 3; ++x)
          store_some(dw + ((y * 3 + x) * p.channels + channel) * g.out_channels + g.out_offset + first + column,
                     taps[x], outputs - column);
      }
    }
  }
}

/// The gradients of the weights of blocks [begin, end) of 24 channels and 32 outputs from the tiles of one chunk. Sums
/// stay in cache.
template <int Tile, class T>
void winograd_gradient_blocks(const ConvGather<T>& g, const WinogradPlan& p, const WinogradChunk& chunk,
                              const float* left, const float* right, float* dw, Index begin, Index end) {
  constexpr int all_points = winograd<Tile>.all_points;
  constexpr Index most = winograd_outputs_together, together = winograd_gradients_together;
  Index const runs = (p.channels + together - 1) / together, plane = p.plane(together * most);
  Scratch<float> const sums(all_points * plane);
  for (Index block = begin; block < end; ++block) {
    Index const channel = block % runs * together, first = block / runs * most;
    Index const channels = p.channels - channel < together ? p.channels - channel : together;
    Index const width = p.width() - first < most ? p.width() - first : most;
    for (Index f = 0; f < all_points; ++f)
      winograd_point({left + f * chunk.left_plane + channel, 1, chunk.left_row},
                     right + f * chunk.right_plane + first * chunk.tiles, sums.data() + f * plane, channels, width,
                     chunk.tiles, Into::overwrite);
    winograd_gradient_weights<Tile, T>(g, p, sums.data(), width, plane, dw, channel, channel + channels, first,
                                       p.outputs - first < most ? p.outputs - first : most);
  }
}
