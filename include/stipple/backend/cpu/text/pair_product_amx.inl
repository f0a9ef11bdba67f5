// Kernel text: a small product of bf16 in AMX tiles.

inline void pair_product_amx(const PairProduct& p) {
  Index const start = 0, panels = (p.columns + panel_width - 1) / panel_width, step = p.rows < 16 ? p.rows : 16;
  AmxSum sum;
  sum.a_offset = &start;
  sum.right = p.right;
  sum.units = p.units;
  sum.panel_stride = p.panel_stride;
  sum.row_bytes = p.left_row * static_cast<Index>(sizeof(bf16));
  sum.c_row = p.c_row;
  sum.adds = p.into == Into::add;
  TileScope const scope(static_cast<int>(step), sum.depth());
  for (Index panel = 0; panel < panels; panel += 2) {
    for (Index row = 0; row < p.rows;) {
      bool const two = row + 32 <= p.rows;
      Index const first = row + step < p.rows ? row : p.rows - step;  // the last tile may repeat rows
      const Pair* const left[2] = {reinterpret_cast<const Pair*>(p.left + first * p.left_row),
                                   reinterpret_cast<const Pair*>(p.left + (first + (two ? 16 : 0)) * p.left_row)};
      any_amx_tiles(two, panel + 1 < panels, left, panel, sum, p.c + first * p.c_row + panel * panel_width);
      row += two ? 32 : 16;
    }
  }
}
