// Kernel text: one block of rows and columns of a matrix product.

// Packs rows [begin, end) of the left operand into units: row i, unit u at to + i units + u.
template <class T, class E>
void pack_left(const MatmulJob<T>& j, void* packed, Index begin, Index end) {
  auto* const to = static_cast<E*>(packed);
  constexpr Index per_unit = std::is_same_v<E, Pair> ? 2 : 1;
  Index const units = units_of<E>(j.k);
  for (Index i = begin; i < end; ++i) {
    if (j.a_k_stride == 1) {
      pack_run(j.a + i * j.a_row_stride, to + i * units, j.k);
    } else {
      for (Index u = 0; u < units; ++u) {
        const T* const first = j.a + i * j.a_row_stride + u * per_unit * j.a_k_stride;
        to[i * units + u] = make_unit<E>(first, u * per_unit + 1 < j.k ? first + j.a_k_stride : nullptr);
      }
    }
  }
}

// Interleaves unit rows [begin, end) of a transposed left operand: unit (i, u) at to + u m + i.
template <class T, class E>
void pack_left_transposed(const MatmulJob<T>& j, void* packed, Index begin, Index end) {
  auto* const to = static_cast<E*>(packed);
  for (Index u = begin; u < end; ++u) {
    const T* const first = j.a + 2 * u * j.a_k_stride;
    pack_pairs(first, 2 * u + 1 < j.k ? first + j.a_k_stride : nullptr, to + u * j.m, j.m);
  }
}

template <class T, class E>
void pack_right(const MatmulJob<T>& j, void* packed, Index begin, Index end) {
  pack_panels(j.b, j.k, j.n, j.b_k_stride, j.b_n_stride, static_cast<E*>(packed), j.units_b_panel, begin, end);
}

// Rows [begin, end) of a transposed left operand for AMX tiles, `pitch` numbers apart.
template <class T>
void pack_left_amx_transposed(const MatmulProblem<T>& p, T* to, Index pitch, Index begin, Index end) {
  transpose(p.a + begin, p.a_k_stride, p.k, end - begin, to + begin * pitch, pitch);
}

// Both operands of `terms` terms from `first` on of a long sum in AMX tiles.
template <class T>
void pack_gradient_amx(const MatmulProblem<T>& p, const AmxGradient& g, Index first, Index terms, T* left,
                       Pair* right) {
  transpose(p.a + first * p.a_k_stride, p.a_k_stride, terms, p.m, left, g.pitch);
  pack_panels(p.b + first * p.b_k_stride, terms, p.n, p.b_k_stride, p.b_n_stride, right, g.sum.panel_stride, 0,
              g.panels());
}

// Rows [row_begin, row_end), all columns of panels [panel_begin, panel_end).
template <class T, class E>
void matmul_block(const MatmulJob<T>& j, const MatmulBlock& block) {
  using C = compute_t<T>;
  auto const* const a = static_cast<const E*>(j.units_a);
  auto const* const b = static_cast<const E*>(j.units_b);
  Index const zero = 0;
  TileSum sum{&zero, &zero, 1, block.units, j.units_a_stride, j.units_b_stride, j.units_b_panel};
  alignas(64) C c[8 * most_panels * panel_width];
  for (Index panel = block.panel_begin; panel < block.panel_end;) {
    int const panels = next_panels(block.panel_end - panel);
    Index const column = panel * panel_width;
    Index const columns = j.n - column < panels * panel_width ? j.n - column : panels * panel_width;
    const E* const right = b + panel * j.units_b_panel;
    for (Index row = block.row_begin; row < block.row_end;) {
      int const most = tile_rows(panels);
      int const rows = static_cast<int>(block.row_end - row < most ? block.row_end - row : most);
      const E* left[8];
      for (int i = 0; i < most; ++i) left[i] = a + (row + (i < rows ? i : rows - 1)) * j.units_a_row;
      any_tile(rows, panels, left, right, sum, c);
      for (int i = 0; i < rows; ++i) {
        C const* const from = c + i * panels * panel_width;
        Index const at = (row + i) * j.n + column;
        if (block.add)
          add_row(from, static_cast<C*>(block.full) + at, columns);
        else if (block.full != nullptr)
          finish_row<C, C>(from, static_cast<C*>(block.full) + at, nullptr, nullptr, nullptr, columns);
        else
          finish_row<T, C>(from, j.out + at, j.bias == nullptr ? nullptr : j.bias + column, nullptr,
                           j.residual == nullptr ? nullptr : j.residual + at, columns);
      }
      row += rows;
    }
    panel += panels;
  }
}
