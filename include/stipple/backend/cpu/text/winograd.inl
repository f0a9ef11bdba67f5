// Kernel text: 3x3 convolution by minimal filtering; see winograd.hpp. `half` is a transform along columns, behind
// which the same transform goes along rows.

/// B' d: a tile's points from its Tile + 2 numbers.
template <int Tile, class V>
inline void winograd_of_input(const V* d, V* v) {
  constexpr auto& w = winograd<Tile>;
  constexpr int z = w.zero;
  STIPPLE_UNROLL for (int k = 0; k < w.pairs; ++k) {
    V even = fma(all<V>(w.others[k][2]), d[z + 4], d[z + 6]), odd = fma(all<V>(w.others[k][2]), d[z + 5], d[z + 7]);
    STIPPLE_UNROLL for (int i = 1; i >= 0; --i) {
      even = fma(all<V>(w.others[k][i]), d[z + 2 * i], even);
      odd = fma(all<V>(w.others[k][i]), d[z + 2 * i + 1], odd);
    }
    v[z + 2 * k] = fma(all<V>(w.power[1][k]), even, odd);
    v[z + 2 * k + 1] = fma(all<V>(-w.power[1][k]), even, odd);
  }
  V first = d[8], last = d[z + 8];
  STIPPLE_UNROLL for (int i = w.pairs - 1; i >= 0; --i) {
    first = fma(all<V>(w.every[i]), d[2 * i], first);
    last = fma(all<V>(w.every[i]), d[z + 2 * i], last);
  }
  if (z == 1) v[0] = first;
  v[w.points - 1] = last;
}

/// G g: points of three weights.
template <int Tile, class V>
inline void winograd_of_weight(const V* g, V* v) {
  constexpr auto& w = winograd<Tile>;
  constexpr int z = w.zero;
  if (z == 1) v[0] = all<V>(w.zero_scale) * g[0];
  STIPPLE_UNROLL for (int k = 0; k < w.pairs; ++k) {
    V const even = fma(all<V>(w.scale[2][k]), g[2], all<V>(w.scale[0][k]) * g[0]);
    V const odd = all<V>(w.scale[1][k]) * g[1];
    v[z + 2 * k] = even + odd;
    v[z + 2 * k + 1] = w.odd ? odd - even : even - odd;
  }
  v[w.points - 1] = g[2];
}

/// A' m: Tile results from the products at the points.
template <int Tile, class V>
inline void winograd_of_product(const V* m, V* y) {
  constexpr auto& w = winograd<Tile>;
  constexpr int z = w.zero;
  V sum[w.pairs], difference[w.pairs];
  STIPPLE_UNROLL for (int k = 0; k < w.pairs; ++k) {
    sum[k] = m[z + 2 * k] + m[z + 2 * k + 1];
    difference[k] = m[z + 2 * k] - m[z + 2 * k + 1];
  }
  y[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  if (z == 1) y[0] = m[0] + y[0];
  STIPPLE_UNROLL for (int i = 1; i < Tile; ++i) {
    const V* const s = i % 2 == 0 ? sum : difference;
    y[i] = all<V>(w.power[i][0]) * s[0];
    STIPPLE_UNROLL for (int k = 1; k < w.pairs; ++k) y[i] = fma(all<V>(w.power[i][k]), s[k], y[i]);
  }
  y[Tile - 1] = y[Tile - 1] + m[w.points - 1];
}

#if STIPPLE_ISA_AVX512
inline constexpr int winograd_rows_together = 12;  // 24 sums and 2 columns, of 32 registers
#elif STIPPLE_ISA_AVX2
inline constexpr int winograd_rows_together = 6;
#else
inline constexpr int winograd_rows_together = 4;
#endif

/// c (Rows, Vectors) = or += a b for one column group: rows of b, in turn, hold its columns. Prefetches the next group,
/// which lies `ahead` numbers behind this one. Each number is one chain of fused multiply-adds, whatever the tile, and
/// one that is added to goes on with its chain.
template <int Rows, int Vectors>
inline void winograd_product(Strided<float> a, const float* b, float* c, Index c_row, Index depth, Index ahead,
                             Into into) {
  using V = vec_for<float>;
  V sum[Rows][Vectors];
  STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] =
      into == Into::add ? load<V>(c + i * c_row + j * V::width) : all<V>(0);
  if (into == Into::add)
    STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j)
        __builtin_prefetch(c + (Rows + i) * c_row + j * V::width, 1, 3);
  for (Index k = 0; k < depth; ++k) {
    V right[Vectors];
    STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) {
      right[j] = load<V>(b + j * V::width);
      __builtin_prefetch(b + ahead + j * V::width, 0, 2);
    }
    STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) {
      V const left = all<V>(a.data[i * a.row_stride]);
      STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j) sum[i][j] = fma(left, right[j], sum[i][j]);
    }
    a.data += a.column_stride;
    b += Vectors * V::width;
  }
  STIPPLE_UNROLL for (int i = 0; i < Rows; ++i) STIPPLE_UNROLL for (int j = 0; j < Vectors; ++j)
      store(c + i * c_row + j * V::width, sum[i][j]);
}

template <int Vectors>
inline void winograd_columns(Strided<float> a, const float* b, float* c, Index c_row, Index rows, Index depth,
                             Into into) {
  constexpr int most = winograd_rows_together, half = most / 2, quarter = most / 4;
  Index const ahead = depth * Vectors * vec_for<float>::width;
  Index i = 0;
  for (; i + most <= rows; i += most, a.data += most * a.row_stride)
    winograd_product<most, Vectors>(a, b, c + i * c_row, c_row, depth, ahead, into);
  for (; i + half <= rows; i += half, a.data += half * a.row_stride)
    winograd_product<half, Vectors>(a, b, c + i * c_row, c_row, depth, ahead, into);
  for (; i + quarter <= rows; i += quarter, a.data += quarter * a.row_stride)
    winograd_product<quarter, Vectors>(a, b, c + i * c_row, c_row, depth, ahead, into);
  for (; i < rows; ++i, a.data += a.row_stride)
    winograd_product<1, Vectors>(a, b, c + i * c_row, c_row, depth, ahead, into);
}

/// Outputs of a group, the first of `left` outputs in whole vectors: two vectors, if there are as many.
inline Index winograd_group(Index left) {
  constexpr Index pair = 2 * vec_for<float>::width;
  return left < pair ? left : pair;
}

/// c (rows, columns) = or += a (rows, depth) b for one pair of points; columns of b are grouped by two vectors.
inline void winograd_point(Strided<float> a, const float* b, float* c, Index rows, Index columns, Index depth,
                           Into into) {
  constexpr Index width = vec_for<float>::width;
  Index j = 0;
  for (; j + 2 * width <= columns; j += 2 * width)
    winograd_columns<2>(a, b + j * depth, c + j, columns, rows, depth, into);
  if (j < columns) winograd_columns<1>(a, b + j * depth, c + j, columns, rows, depth, into);
}

/// Weights of `channels` channels (at most 8) and up to 32 outputs from `first` on, to (points, group of two vectors of
/// outputs, channel, vectors); a last vector may be a group of its own. Rows of groups of all `width` outputs have
/// `rows` channels; points lie `plane` apart.
template <int Tile, class T>
inline void winograd_weights(const ConvGather<T>& g, Index width, Index channel, Index channels, Index first, float* to,
                             Index rows, Index plane) {
  using V = vec_for<T>;
  constexpr int points = winograd<Tile>.points;
  constexpr Index pair = 2 * V::width, vectors = winograd_outputs_together / V::width;
  Index const wide = width - first < vectors * V::width ? (width - first) / V::width : vectors;
  V half[winograd_channels_together * vectors][points][3];
  for (Index i = 0; i < channels * wide; ++i) {
    Index const column = first + i % wide * V::width, n = g.outputs - column;
    STIPPLE_UNROLL for (int x = 0; x < 3; ++x) {
      V tap[3], v[points];
      STIPPLE_UNROLL for (int y = 0; y < 3; ++y) {
        Index const ky = g.tap_h0 + y * g.tap_h_step, kx = g.tap_w0 + x * g.tap_w_step;
        const T* const from =
            g.weight + (ky * g.weight_kw + kx) * g.weight_tap + (channel + i / wide) * g.weight_k_stride + column;
        tap[y] = n > 0 ? load_some<V>(from, n) : all<V>(0);
      }
      winograd_of_weight<Tile>(tap, v);
      STIPPLE_UNROLL for (int y = 0; y < points; ++y) half[i][y][x] = v[y];
    }
  }
  for (int y = 0; y < points; ++y) {
    for (Index i = 0; i < channels * wide; ++i) {
      Index const column = i % wide * V::width, group = column / pair * pair;
      float* const at =
          to + y * points * plane + group * rows + i / wide * winograd_group(width - first - group) + column - group;
      V v[points];
      winograd_of_weight<Tile>(half[i][y], v);
      STIPPLE_UNROLL for (int x = 0; x < points; ++x) store(at + x * plane, v[x]);
    }
  }
}

/// The weights of blocks [begin, end) of 8 channels and 32 outputs.
template <int Tile, class T>
void winograd_weight_blocks(const ConvGather<T>& g, const WinogradPlan& p, float* to, Index begin, Index end) {
  constexpr Index most = winograd_channels_together;
  Index const runs = (p.channels + most - 1) / most;
  for (Index block = begin; block < end; ++block) {
    Index const channel = block % runs * most, first = block / runs * winograd_outputs_together;
    Index const channels = p.channels - channel < most ? p.channels - channel : most;
    float* const at = to + first * p.channels + channel * winograd_group(p.width() - first);
    winograd_weights<Tile>(g, p.width(), channel, channels, first, at, p.channels, p.weight_plane());
  }
}

/// The points of a tile of one vector of channels: rows of `from` lie `row` apart, its columns `column`; points of the
/// result `plane`.
template <int Tile, class T>
inline void winograd_input_tile(const T* from, Index row, Index column, float* to, Index plane) {
  using V = vec_for<T>;
  constexpr int points = winograd<Tile>.points;
  V half[points][points];
  for (int x = 0; x < points; ++x) {
    V d[points], v[points];
    STIPPLE_UNROLL for (int y = 0; y < points; ++y) d[y] = load<V>(from + y * row + x * column);
    winograd_of_input<Tile>(d, v);
    STIPPLE_UNROLL for (int y = 0; y < points; ++y) half[y][x] = v[y];
  }
  for (int y = 0; y < points; ++y) {
    V v[points];
    winograd_of_input<Tile>(half[y], v);
    STIPPLE_UNROLL for (int x = 0; x < points; ++x) {
      store(to + (y * points + x) * plane, v[x]);
      __builtin_prefetch(to + (y * points + x) * plane + V::width, 1, 3);
    }
  }
}

/// The points of a row of tiles to (points, tile, channels), tiles `pitch` apart.
template <int Tile, class T>
inline void winograd_input_row(const ConvGather<T>& g, const WinogradPlan& p, Index row, T* window, float* to,
                               Index pitch, Index plane) {
  using V = vec_for<T>;
  pack_window<T, T>(g, row / p.tiles_h, row % p.tiles_h * Tile + g.top, Tile + 2, window);
  for (Index x = 0; x < p.tiles_w; ++x)
    for (Index c = 0; c < p.channels; c += V::width)
      winograd_input_tile<Tile>(window + x * Tile * p.channels + c, g.plane_columns * p.channels, p.channels,
                                to + x * pitch + c, plane);
}

/// Writes `rows` x `columns` pixels of a tile, `n` outputs of each, from products `plane` apart.
template <int Tile, class T>
inline void winograd_output_tile(const ConvGather<T>& g, const float* products, Index plane, Index pixel, Index image,
                                 Index output, int rows, int columns, int n) {
  using V = vec_for<T>;
  constexpr int points = winograd<Tile>.points;
  V half[Tile][points];
  for (int x = 0; x < points; ++x) {
    V m[points], y[Tile];
    STIPPLE_UNROLL for (int i = 0; i < points; ++i) {
      m[i] = load<V>(products + (i * points + x) * plane);
      __builtin_prefetch(products + (i * points + x) * plane + V::width, 0, 3);
    }
    winograd_of_product<Tile>(m, y);
    STIPPLE_UNROLL for (int i = 0; i < Tile; ++i) half[i][x] = y[i];
  }
  const T* const addend = g.addend == nullptr ? nullptr : g.addend + image * g.out_channels + output;
  V const bias = g.bias == nullptr ? all<V>(0) : load_some<V>(g.bias + output, n);
  V const added = addend == nullptr ? all<V>(0) : load_some<V>(addend, n);
  for (int i = 0; i < rows; ++i) {
    V y[Tile];
    winograd_of_product<Tile>(half[i], y);
    for (int x = 0; x < columns; ++x) {
      Index const at = (pixel + i * g.out_w + x) * g.out_channels + output;
      V v = y[x];
      if (g.bias != nullptr) v = v + bias;
      if (addend != nullptr) v = v + added;
      if (g.residual != nullptr) v = v + load_some<V>(g.residual + at, n);
      Result::put(g.out + at, v, n);
    }
  }
}

/// The points of rows of tiles [begin, end), from the first of `to` on.
template <int Tile, class T>
void winograd_input_rows(const ConvGather<T>& g, const WinogradPlan& p, float* to, Index plane, Index begin,
                         Index end) {
  Index const depth = p.depth();
  Scratch<T> const window(winograd<Tile>.points * g.plane_columns * p.channels);
  for (Index row = begin; row < end; ++row)
    winograd_input_row<Tile>(g, p, row, window.data(), to + (row - begin) * p.tiles_w * depth, depth, plane);
}

/// Writes `tiles` tiles from row `first` on, outputs [begin, end), from products (points, tile, `width` outputs).
template <int Tile, class T>
inline void winograd_output_tiles(const ConvGather<T>& g, const WinogradPlan& p, const float* products, Index width,
                                  Index plane, Index first, Index tiles, Index begin, Index end) {
  using V = vec_for<T>;
  for (Index tile = 0; tile < tiles; ++tile) {
    Index const row = first + tile / p.tiles_w, image = row / p.tiles_h;
    Index const y = row % p.tiles_h * Tile, x = tile % p.tiles_w * Tile;
    auto const rows = static_cast<int>(g.grid_h - y < Tile ? g.grid_h - y : Tile);
    auto const columns = static_cast<int>(g.grid_w - x < Tile ? g.grid_w - x : Tile);
    Index const pixel = (image * g.out_h + g.out_top + y) * g.out_w + g.out_left + x;
    for (Index output = begin; output < end; output += V::width) {
      Index const n = end - output < V::width ? end - output : V::width;
      winograd_output_tile<Tile>(g, products + tile * width + output - begin, plane, pixel, image,
                                 g.out_offset + output, rows, columns, static_cast<int>(n));
    }
  }
}

/// Rows of tiles [begin, end), all outputs.
template <int Tile, class T>
void winograd_rows(const ConvGather<T>& g, const WinogradPlan& p, const float* weights, Index begin, Index end) {
  constexpr int all_points = winograd<Tile>.all_points;
  Index const tiles = (end - begin) * p.tiles_w, width = p.width();
  Index const left_plane = p.plane(tiles * p.depth()), plane = p.plane(tiles * width);
  Scratch<float> const left(all_points * left_plane), products(all_points * plane);
  winograd_input_rows<Tile>(g, p, left.data(), left_plane, begin, end);
  for (Index f = 0; f < all_points; ++f)
    winograd_point({left.data() + f * left_plane, p.depth(), 1}, weights + f * p.weight_plane(),
                   products.data() + f * plane, tiles, width, p.channels, Into::overwrite);
  winograd_output_tiles<Tile>(g, p, products.data(), width, plane, begin, tiles, 0, p.outputs);
}

/// All tiles, blocks [begin, end) of 32 outputs, from the tiles' points. Weights are transformed as they are needed, so
/// they stay in cache.
template <int Tile, class T>
void winograd_outputs(const ConvGather<T>& g, const WinogradPlan& p, const float* left, Index begin, Index end) {
  constexpr int all_points = winograd<Tile>.all_points;
  constexpr Index most = winograd_outputs_together, run = winograd_channels_together, together = 4 * run;
  Index const tiles = p.rows * p.tiles_w, left_plane = p.plane(tiles * p.depth()), plane = p.plane(tiles * most);
  Index const weight_plane = p.plane(together * most);
  Scratch<float> const products(all_points * plane), weights(all_points * weight_plane);
  for (Index block = begin; block < end; ++block) {
    Index const first = block * most, last = p.outputs - first < most ? p.outputs : first + most;
    Index const width = p.width() - first < most ? p.width() - first : most;
    for (Index channel = 0; channel < p.channels; channel += together) {
      Index const channels = p.channels - channel < together ? p.channels - channel : together;
      for (Index i = 0; i < channels; i += run)
        winograd_weights<Tile>(g, p.width(), channel + i, channels - i < run ? channels - i : run, first,
                               weights.data() + i * winograd_group(width), channels, weight_plane);
      for (Index f = 0; f < all_points; ++f)
        winograd_point({left + f * left_plane + channel, p.depth(), 1}, weights.data() + f * weight_plane,
                       products.data() + f * plane, tiles, width, channels, channel == 0 ? Into::overwrite : Into::add);
    }
    winograd_output_tiles<Tile>(g, p, products.data(), width, plane, 0, tiles, first, last);
  }
}
