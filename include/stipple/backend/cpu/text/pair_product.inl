// Kernel text: a small product of bf16 by dot instructions, and the packing of its right operand.

/// Panels of a right operand B (k, n) given by element strides, each of `units` unit rows; behind the terms they are
/// zero.
template <class T>
inline void pack_whole_panels(const T* b, Index k, Index n, Index k_stride, Index n_stride, Pair* to, Index units) {
  Index const panels = (n + panel_width - 1) / panel_width;
  pack_panels(b, k, n, k_stride, n_stride, to, units * panel_width, 0, panels);
  for (Index p = 0; p < panels; ++p)
    for (Index i = units_of<Pair>(k) * panel_width; i < units * panel_width; ++i)
      to[p * units * panel_width + i] = Pair{};
}

#if STIPPLE_ISA_AVX512_BF16
inline void pair_product_dots(const PairProduct& p) {
  Index const start = 0, all_panels = (p.columns + panel_width - 1) / panel_width;
  TileSum const sum{&start, &start, 1, p.units, 1, panel_width, p.panel_stride};
  alignas(64) float c[8 * most_panels * panel_width];
  for (Index panel = 0; panel < all_panels;) {
    int const panels = next_panels(all_panels - panel), most = tile_rows(panels);
    Index const columns = panels * panel_width;
    for (Index row = 0; row < p.rows; row += most) {
      int const rows = static_cast<int>(p.rows - row < most ? p.rows - row : most);
      const Pair* left[8];
      for (int i = 0; i < most; ++i)
        left[i] = reinterpret_cast<const Pair*>(p.left + (row + (i < rows ? i : rows - 1)) * p.left_row);
      any_tile(rows, panels, left, p.right + panel * p.panel_stride, sum, c);
      for (int i = 0; i < rows; ++i) {
        float* const to = p.c + (row + i) * p.c_row + panel * panel_width;
        if (p.into == Into::add)
          add_row(c + i * columns, to, columns);
        else
          std::memcpy(to, c + i * columns, static_cast<std::size_t>(columns) * sizeof(float));
      }
    }
    panel += panels;
  }
}
#endif
