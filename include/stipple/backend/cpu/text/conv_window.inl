// Kernel text: zero-padded copies of a part of one image, with the norm before the convolution applied.

/// Rows of a source with its prologue applied, one at a time.
template <class T>
class NormalisedRows {
 public:
  NormalisedRows(const ConvGather<T>& g, Index image)
      : prologue_(*g.prologue),
        plan_(g.n, g.h * g.w, g.source_channels, prologue_.groups),
        length_(g.w * g.source_channels),
        row_(length_),
        room_(static_cast<Index>(plan_.room(3))),
        patterns_(norm_patterns(plan_, prologue_.mean + image * plan_.groups, prologue_.rstd + image * plan_.groups,
                                prologue_.weight, prologue_.bias, room_.data())) {}
  const T* of(const T* row) const {
    normalise_tiles<T>(prologue_.activation, row, patterns_, row_.data(), length_, plan_.tile_size());
    return row_.data();
  }

 private:
  NormPrologue<T> const& prologue_;
  NormPlan plan_;
  Index length_;
  Scratch<T> row_;
  Scratch<compute_t<T>> room_;
  NormPatterns<compute_t<T>> patterns_;
};

/// Copies the window of one image that starts at row `top`, column `left` of the (virtual, spread) source into a plane
/// (rows, columns, units of channels), with the prologue applied; what lies outside is zero.
template <class T, class E>
inline void pack_window(const ConvGather<T>& g, Index image, Index top, Index rows, E* plane) {
  Index const units = units_of<E>(g.channels);
  bool const whole = std::is_same_v<E, Pair> ? g.channels % 2 == 0 : true;
  const T* const source = g.source + image * g.h * g.w * g.source_channels;
  std::optional<NormalisedRows<T>> normalised;
  if (g.prologue != nullptr) normalised.emplace(g, image);
  for (Index r = 0; r < rows; ++r) {
    E* const to = plane + r * g.plane_columns * units;
    Index const y = top + r;
    if (y < 0 || y % g.spread != 0 || y / g.spread >= g.h) {
      std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(g.plane_columns * units) * sizeof(E));
      continue;
    }
    const T* const stored = source + y / g.spread * g.w * g.source_channels;
    const T* const row = (normalised ? normalised->of(stored) : stored) + g.source_offset;
    Index column = 0;
    for (; column < g.plane_columns && column + g.left < 0; ++column)
      for (Index u = 0; u < units; ++u) to[column * units + u] = E{};
    if (g.spread == 1 && whole && g.channels == g.source_channels) {
      Index const x = column + g.left;
      Index const inside = g.plane_columns - column < g.w - x ? g.plane_columns - column : g.w - x;
      if (inside > 0) {
        pack_run(row + x * g.channels, to + column * units, inside * g.channels);
        column += inside;
      }
    }
    for (; column < g.plane_columns; ++column) {
      Index const x = column + g.left;
      if (x % g.spread == 0 && x / g.spread < g.w) {
        pack_run(row + x / g.spread * g.source_channels, to + column * units, g.channels);
      } else {
        for (Index u = 0; u < units; ++u) to[column * units + u] = E{};
      }
    }
  }
}
