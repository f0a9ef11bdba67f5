// Kernel text: direct convolution in AMX tiles.

template <class T>
void conv_pack_weights_amx(const ConvGather<T>& g, const AmxSum& sum, void* packed, Pair* tails, Index begin,
                           Index end) {
  base::conv_pack_weights<T, Pair>(g, packed, begin, end);
  if (sum.has_tails()) pack_amx_tails(sum, tails, begin, end);
}

/// One band of rows of one image, all output channels.
template <class T>
void conv_gather_band_amx(const ConvGather<T>& g, AmxSum sum, Index image, Index row_begin, Index row_end) {
  Index const units = base::units_of<Pair>(g.channels), rows = row_end - row_begin;
  Index const rows_in = (rows - 1) * g.stride + (g.taps_h - 1) * g.dilation + 1;
  Scratch<Pair> const plane(rows_in * g.plane_columns * units);
  base::pack_window<T, Pair>(g, image, row_begin * g.stride + g.top, rows_in, plane.data());
  Scratch<Index> const offsets(sum.segments);
  conv_offsets(g, units, offsets.data());
  sum.a_offset = offsets.data();
  sum.row_bytes = g.stride * units * static_cast<Index>(sizeof(Pair));

  // Tiles take up to 16 pixels of one row, the last ones repeating some; or 16 pixels of the plane without regard to
  // rows, dropping those that belong to none, where that makes fewer tiles.
  Index const step = g.grid_w < 16 ? g.grid_w : 16, tiles_a_row = (g.grid_w + step - 1) / step;
  Index const run = (rows - 1) * g.plane_columns + g.grid_w, run_tiles = (run + 15) / 16;
  bool const across = g.stride == 1 && run >= 16 && run_tiles < rows * tiles_a_row;
  Index const tiles = across ? run_tiles : rows * tiles_a_row, tile_rows = across ? 16 : step;
  Index const panels = (g.outputs + panel_width - 1) / panel_width;
  alignas(64) float c[2 * 16 * 2 * panel_width];
  TileScope const scope(static_cast<int>(tile_rows), sum.depth());
  for (Index panel = 0; panel < panels; panel += 2) {
    Index const column = panel * panel_width, out = g.out_offset + column;
    bool const two_panels = panel + 1 < panels;
    Index const most = two_panels ? 2 * panel_width : panel_width,
                columns = g.outputs - column < most ? g.outputs - column : most;
    const float* const bias = g.bias == nullptr ? nullptr : g.bias + out;
    const T* const addend = g.addend == nullptr ? nullptr : g.addend + image * g.out_channels + out;
    for (Index tile = 0; tile < tiles; tile += 2) {
      int const count = tile + 1 < tiles ? 2 : 1;
      Index first[2] = {};  // pixel of the plane's grid where a tile starts
      const Pair* left[2] = {};
      for (int r = 0; r < count; ++r) {
        Index const t = tile + r;
        if (across) {
          first[r] = t * 16 < run - 16 ? t * 16 : run - 16;
          left[r] = plane.data() + first[r] * units;
        } else {
          Index const x = t % tiles_a_row * step, y = t / tiles_a_row;
          first[r] = y * g.plane_columns + (x < g.grid_w - step ? x : g.grid_w - step);
          left[r] = plane.data() + (y * g.stride * g.plane_columns + first[r] % g.plane_columns * g.stride) * units;
        }
      }
      any_amx_tiles(count == 2, two_panels, left, panel, sum, c);
      for (int r = 0; r < count; ++r) {
        Index y = first[r] / g.plane_columns, x = first[r] % g.plane_columns;
        for (Index i = 0; i < tile_rows; ++i) {
          if (x < g.grid_w) {
            Index const at =
                ((image * g.out_h + g.out_top + (row_begin + y) * g.out_step) * g.out_w + g.out_left + x * g.out_step) *
                    g.out_channels +
                out;
            base::finish_row<T, float>(c + (r * 16 + i) * 2 * panel_width, g.out + at, bias, addend,
                                       g.residual == nullptr ? nullptr : g.residual + at, columns);
          }
          if (++x == g.plane_columns) {
            x = 0;
            ++y;
          }
        }
      }
    }
  }
}
