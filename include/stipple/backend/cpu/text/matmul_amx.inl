// Kernel text: one block of rows and columns of a bf16 matrix product, in AMX tiles.

template <class T>
void pack_left_amx(const MatmulJob<T>& j, Pair* to, Index begin, Index end) {
  base::pack_left<T, Pair>(j, to, begin, end);
}
template <class T>
void pack_right_amx(const MatmulJob<T>& j, const AmxSum& sum, Pair* to, Pair* tails, Index begin, Index end) {
  base::pack_right<T, Pair>(j, to, begin, end);
  if (sum.has_tails()) pack_amx_tails(sum, tails, begin, end);
}

template <class T>
void matmul_block_amx(const MatmulJob<T>& j, const MatmulBlock& block, const AmxSum& sum) {
  Index const rows = block.row_end - block.row_begin, step = rows < 16 ? rows : 16,
              row_tiles = (rows + step - 1) / step;
  const Pair* const a = static_cast<const Pair*>(j.units_a) + block.row_begin * j.units_a_row;
  alignas(64) float c[2 * 16 * 2 * panel_width];
  TileScope const scope(static_cast<int>(step), sum.depth());
  for (Index panel = block.panel_begin; panel < block.panel_end; panel += 2) {
    Index const column = panel * panel_width;
    bool const two_panels = panel + 1 < block.panel_end;
    Index const most = two_panels ? 2 * panel_width : panel_width, columns = j.n - column < most ? j.n - column : most;
    for (Index t = 0; t < row_tiles; t += 2) {
      // The last tile may repeat rows of the one before.
      Index const last = rows - step,
                  row[2] = {t * step < last ? t * step : last, (t + 1) * step < last ? (t + 1) * step : last};
      int const tiles = t + 1 < row_tiles ? 2 : 1;
      const Pair* const left[2] = {a + row[0] * j.units_a_row, a + row[1] * j.units_a_row};
      any_amx_tiles(tiles == 2, two_panels, left, panel, sum, c);
      for (int r = 0; r < tiles; ++r) {
        for (Index i = 0; i < step; ++i) {
          Index const at = (block.row_begin + row[r] + i) * j.n + column;
          const float* const from = c + (r * 16 + i) * 2 * panel_width;
          if (j.full != nullptr)
            std::memcpy(j.full + at, from, static_cast<std::size_t>(columns) * sizeof(float));
          else
            base::finish_row<T, float>(from, j.out + at, j.bias == nullptr ? nullptr : j.bias + column, nullptr,
                                       j.residual == nullptr ? nullptr : j.residual + at, columns);
        }
      }
    }
  }
}
