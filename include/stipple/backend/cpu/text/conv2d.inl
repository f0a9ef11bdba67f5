// Kernel text: direct convolution on a zero-padded copy of a band of one image, and its weight gradient.

/// Packs the weights of panels [begin, end): taps in the order the window is read, then channels.
template <class T, class E>
void conv_pack_weights(const ConvGather<T>& g, void* packed, Index begin, Index end) {
  Index const units = units_of<E>(g.channels);
  Index const panel_stride = g.taps_h * g.taps_w * units * panel_width;
  for (Index a = 0; a < g.taps_h; ++a) {
    for (Index b = 0; b < g.taps_w; ++b) {
      Index const ky = g.tap_h0 + a * g.tap_h_step, kx = g.tap_w0 + b * g.tap_w_step;
      const T* const w = g.weight + (ky * g.weight_kw + kx) * g.weight_tap;
      pack_panels(w, g.channels, g.outputs, g.weight_k_stride, g.weight_n_stride,
                  static_cast<E*>(packed) + (a * g.taps_w + b) * units * panel_width, panel_stride, begin, end);
    }
  }
}

/// One band of rows of one image, all output channels.
template <class T, class E>
void conv_gather_band(const ConvGather<T>& g, const void* packed, Index image, Index row_begin, Index row_end) {
  using C = compute_t<T>;
  Index const units = units_of<E>(g.channels),
              rows_in = (row_end - row_begin - 1) * g.stride + (g.taps_h - 1) * g.dilation + 1;
  Scratch<E> const plane(rows_in * g.plane_columns * units);
  pack_window<T, E>(g, image, row_begin * g.stride + g.top, rows_in, plane.data());

  Index const segments = conv_segments(g);
  Scratch<Index> const offsets(2 * segments);
  TileSum const sum{offsets.data(),
                    offsets.data() + segments,
                    segments,
                    g.taps_h * g.taps_w / segments * units,
                    1,
                    panel_width,
                    g.taps_h * g.taps_w * units * panel_width};
  conv_offsets(g, units, offsets.data());
  for (Index s = 0; s < segments; ++s) offsets.data()[segments + s] = s * sum.units * panel_width;
  alignas(64) C c[8 * most_panels * panel_width];
  Index const panels = (g.outputs + panel_width - 1) / panel_width, pixels = (row_end - row_begin) * g.grid_w;
  for (Index panel = 0; panel < panels;) {
    int const wide = next_panels(panels - panel);
    Index const column = panel * panel_width;
    Index const columns = g.outputs - column < wide * panel_width ? g.outputs - column : wide * panel_width;
    const E* const right = static_cast<const E*>(packed) + panel * sum.panel_stride;
    int const most = tile_rows(wide);
    for (Index pixel = 0; pixel < pixels; pixel += most) {
      int const rows = static_cast<int>(pixels - pixel < most ? pixels - pixel : most);
      const E* left[8];
      Index out[8];
      Index y = pixel / g.grid_w, x = pixel % g.grid_w;
      for (int i = 0; i < most; ++i) {
        if (i < rows) {
          left[i] = plane.data() + (y * g.stride * g.plane_columns + x * g.stride) * units;
          out[i] =
              (((image * g.out_h + g.out_top + (row_begin + y) * g.out_step) * g.out_w) + g.out_left + x * g.out_step) *
                  g.out_channels +
              g.out_offset + column;
          if (++x == g.grid_w) {
            x = 0;
            ++y;
          }
        } else {
          left[i] = left[i - 1];
        }
      }
      any_tile(rows, wide, left, right, sum, c);
      const T* const addend = g.addend == nullptr ? nullptr : g.addend + image * g.out_channels + g.out_offset + column;
      for (int i = 0; i < rows; ++i)
        finish_row<T, C>(c + i * wide * panel_width, g.out + out[i],
                         g.bias == nullptr ? nullptr : g.bias + g.out_offset + column, addend,
                         g.residual == nullptr ? nullptr : g.residual + out[i], columns);
    }
    panel += wide;
  }
}

/// Adds the weight gradient of bands [begin, end) to `partial` (taps, channels, outputs). A band is `band_rows` output
/// rows of one image; several bands are summed in registers at a time.
template <class T, class E>
void conv_weight_gradient(const ConvWeightGradient<T>& q, compute_t<T>* partial, Index begin, Index end) {
  using C = compute_t<T>;
  constexpr Index per_unit = std::is_same_v<E, Pair> ? 2 : 1;
  ConvGather<T> const& g = q.window;
  Index const units_x = (g.grid_w + per_unit - 1) / per_unit;  // terms of one output row
  Index const rows_in = (q.band_rows - 1) * g.stride + (g.taps_h - 1) * g.dilation + 1;
  Index const plane_row = g.plane_columns * g.channels, plane_size = rows_in * plane_row;
  Index const panels = (g.outputs + panel_width - 1) / panel_width;
  Index const together = q.bands_together, right_rows = together * q.band_rows * units_x;
  Scratch<E> const left_units(together * plane_size + per_unit * g.stride * g.channels, true);
  Scratch<T> const window(std::is_same_v<E, Pair> ? plane_size + g.stride * g.channels : 0, true);
  Scratch<E> const right_units(panels * right_rows * panel_width, true);
  Scratch<Index> const offsets(2 * together * q.band_rows);
  Scratch<T> const no_channels(g.outputs, true);
  alignas(64) C c[8 * most_panels * panel_width];
  for (Index first = begin; first < end; first += together) {
    Index const bands = end - first < together ? end - first : together;
    Index segments = 0;
    for (Index i = 0; i < bands; ++i) {
      Index const image = (first + i) / q.bands_per_image, row = (first + i) % q.bands_per_image * q.band_rows;
      Index const rows = g.grid_h - row < q.band_rows ? g.grid_h - row : q.band_rows;
      E* const plane = left_units.data() + i * plane_size;
      if constexpr (std::is_same_v<E, Pair>) {
        // Unit (y, x, c) = the numbers at columns x and x + stride, so any tap starts at a whole unit.
        pack_window<T, T>(g, image, row * g.stride + g.top, rows_in, window.data());
        pack_pairs(window.data(), window.data() + g.stride * g.channels, plane, plane_size);
      } else {
        pack_window<T, E>(g, image, row * g.stride + g.top, rows_in, plane);
      }
      for (Index r = 0; r < rows; ++r) {
        const T* const dy = q.dy + ((image * g.grid_h + row + r) * g.grid_w) * g.out_channels + g.out_offset;
        Index const at = segments;
        offsets.data()[at] = i * plane_size + r * g.stride * plane_row;
        offsets.data()[together * q.band_rows + at] = at * units_x * panel_width;
        ++segments;
        for (Index u = 0; u < units_x; ++u) {
          const T* const one = dy + u * per_unit * g.out_channels;
          const T* const two = u * per_unit + 1 < g.grid_w ? one + g.out_channels : no_channels.data();
          for (Index p = 0; p < panels; ++p) {
            Index const columns = g.outputs - p * panel_width < panel_width ? g.outputs - p * panel_width : panel_width;
            pack_pairs(one + p * panel_width, two + p * panel_width,
                       right_units.data() + (p * right_rows + at * units_x + u) * panel_width, columns);
          }
        }
      }
    }
    TileSum const sum{offsets.data(),
                      offsets.data() + together * q.band_rows,
                      segments,
                      units_x,
                      per_unit * g.stride * g.channels,
                      panel_width,
                      right_rows * panel_width};
    bool const runs = g.dilation == 1;
    Index const groups = runs ? g.taps_h : g.taps_h * g.taps_w, group_rows = runs ? g.taps_w * g.channels : g.channels;
    for (Index panel = 0; panel < panels;) {
      int const wide = next_panels(panels - panel), most = tile_rows(wide);
      Index const column = panel * panel_width;
      Index const columns = g.outputs - column < wide * panel_width ? g.outputs - column : wide * panel_width;
      for (Index group = 0; group < groups; ++group) {
        Index const ky = runs ? group : group / g.taps_w, kx = runs ? 0 : group % g.taps_w;
        const E* const base = left_units.data() + ky * g.dilation * plane_row + kx * g.dilation * g.channels;
        for (Index row = 0; row < group_rows; row += most) {
          int const rows = static_cast<int>(group_rows - row < most ? group_rows - row : most);
          const E* left[8];
          for (int i = 0; i < most; ++i) left[i] = base + row + (i < rows ? i : rows - 1);
          any_tile(rows, wide, left, right_units.data() + panel * sum.panel_stride, sum, c);
          for (int i = 0; i < rows; ++i)
            add_row(c + i * wide * panel_width, partial + (group * group_rows + row + i) * g.outputs + column, columns);
        }
      }
      panel += wide;
    }
  }
}

/// The operands of a weight gradient in AMX tiles for `bands` bands from `first` on: the window's planes with channels
/// as rows, and in panels dy on their grid, two pixels a unit. What is never written must be zero.
template <class T>
void conv_pack_gradient_amx(const ConvWeightGradient<T>& q, const AmxGradient& a, Index first, Index bands, T* left,
                            Pair* right) {
  ConvGather<T> const& g = q.window;
  Index const rows_in = q.plane_rows * g.stride, columns = q.plane_columns, panels = a.panels();
  // Pixels that follow each other in the window as they do in the plane: all, or a row's.
  Index const runs = g.stride == 1 ? 1 : q.plane_rows, run = q.plane_rows * columns / runs;
  Scratch<T> const window(rows_in * g.plane_columns * g.channels), no_outputs(g.outputs, true);
  for (Index i = 0; i < bands; ++i) {
    Index const image = (first + i) / q.bands_per_image, row = (first + i) % q.bands_per_image * q.band_rows;
    Index const rows = g.grid_h - row < q.band_rows ? g.grid_h - row : q.band_rows;
    pack_window<T, T>(g, image, row * g.stride + g.top, rows_in, window.data());
    T* plane = left + i * q.phases_h * q.phases_w * q.plane_size;
    for (Index y = 0; y < q.phases_h; ++y) {
      for (Index x = 0; x < q.phases_w; ++x) {
        for (Index r = 0; r < runs; ++r) {
          const T* const from = window.data() + ((r * g.stride + y) * g.plane_columns + x) * g.channels;
          transpose(from, g.stride * g.channels, run, g.channels, plane + r * run, a.pitch);
        }
        plane += q.plane_size;
      }
    }

    const T* const dy = q.dy + (image * g.grid_h + row) * g.grid_w * g.out_channels + g.out_offset;
    Index y_of = 0, x_of = 0;
    for (Index u = 0; u < a.sum.units; ++u) {
      const T* pixel[2];
      for (auto& p : pixel) {
        bool const inside = y_of < rows && x_of < g.grid_w;
        p = inside ? dy + (y_of * g.grid_w + x_of) * g.out_channels : no_outputs.data();
        if (++x_of == columns) {
          x_of = 0;
          ++y_of;
        }
      }
      Pair* const to = right + (i * a.sum.units + u) * panel_width;
      for (Index p = 0; p < panels; ++p) {
        Index const column = p * panel_width, n = g.outputs - column < panel_width ? g.outputs - column : panel_width;
        pack_pairs(pixel[0] + column, pixel[1] + column, to + p * a.sum.panel_stride, n);
      }
    }
  }
}
