// Kernel text: products of bf16 pairs in AMX tiles, or in plain code that does the same where STIPPLE_AMX_EMULATED
// is 1.
//
// Of the eight tiles, 0 to 3 hold 2 x 2 blocks of results, 4 and 5 two blocks of rows, 6 and 7 two panels of columns.

#if STIPPLE_AMX_EMULATED

/// The tile registers of a thread, after Intel's description of TDPBF16PS; but subnormals are not flushed to zero.
/// Tiles whose shapes don't fit each other are an error, as they are in hardware.
struct Tiles {
  static constexpr int most = 16;
  struct Register {
    int rows, bytes;
    std::uint8_t data[most][64];
  };
  static Register& at(int tile) {
    thread_local Register registers[8] = {};
    return registers[tile];
  }

  static void configure(int rows, int depth) {
    for (int tile = 0; tile < 8; ++tile) {
      at(tile) = {};
      at(tile).rows = tile < 6 ? rows : depth;
      at(tile).bytes = tile == 4 || tile == 5 ? 4 * depth : 64;
    }
  }
  static void release() {
    for (int tile = 0; tile < 8; ++tile) at(tile) = {};
  }
  static void load(int tile, const void* from, Index bytes_a_row) {
    require(at(tile).rows > 0, "AMX: tile ", tile, " is not configured");
    std::memset(at(tile).data, 0, sizeof at(tile).data);
    for (int i = 0; i < at(tile).rows; ++i)
      std::memcpy(at(tile).data[i], static_cast<const std::uint8_t*>(from) + i * bytes_a_row,
                  static_cast<std::size_t>(at(tile).bytes));
  }
  static void multiply(int result, int left, int right) {
    Register& c = at(result);
    Register const &a = at(left), &b = at(right);
    require(a.rows == c.rows && b.bytes == c.bytes && a.bytes == 4 * b.rows && a.rows > 0, "AMX: given tiles of ",
            a.rows, " x ", a.bytes, ", ", b.rows, " x ", b.bytes, " and ", c.rows, " x ", c.bytes);
    for (int i = 0; i < c.rows; ++i) {
      float sum[most], even[most] = {}, odd[most] = {};
      for (int k = 0; k < b.rows; ++k) {
        Pair row, column[most];
        std::memcpy(&row, a.data[i] + 4 * k, sizeof row);
        std::memcpy(column, b.data[k], sizeof column);
        for (int j = 0; j < most; ++j) {
          even[j] += static_cast<float>(row.first) * static_cast<float>(column[j].first);
          odd[j] += static_cast<float>(row.second) * static_cast<float>(column[j].second);
        }
      }
      std::memcpy(sum, c.data[i], sizeof sum);
      for (int j = 0; j < most; ++j) sum[j] += even[j] + odd[j];
      std::memcpy(c.data[i], sum, sizeof sum);
    }
  }

  static void clear_results() {
    for (int tile = 0; tile < 4; ++tile) std::memset(at(tile).data, 0, sizeof at(tile).data);
  }
  template <int I, int J>
  static void load_result(const float* from, Index bytes_a_row) {
    load(2 * I + J, from, bytes_a_row);
  }
  template <int I>
  static void load_left(const Pair* from, Index bytes_a_row) {
    load(4 + I, from, bytes_a_row);
  }
  template <int J>
  static void load_right(const Pair* from) {
    load(6 + J, from, 64);
  }
  template <int I, int J>
  static void multiply_add() {
    multiply(2 * I + J, 4 + I, 6 + J);
  }
  template <int I, int J>
  static void store(float* to, Index bytes_a_row) {
    Register const& c = at(2 * I + J);
    require(c.rows > 0, "AMX: a tile is stored that is not configured");
    for (int i = 0; i < c.rows; ++i) std::memcpy(reinterpret_cast<std::uint8_t*>(to) + i * bytes_a_row, c.data[i], 64);
  }
};

#else

/// The tile registers of this thread. The numbers of tiles are literals because g++ puts their text into instructions.
struct Tiles {
  struct alignas(64) Configuration {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {};
    std::uint8_t rows[16] = {};
  };
  static_assert(sizeof(Configuration) == 64);

  /// Tiles of results and rows get `rows` rows, panels `depth` rows; rows are `depth` units long.
  static void configure(int rows, int depth) {
    Configuration c;
    for (int tile = 0; tile < 8; ++tile) {
      c.rows[tile] = static_cast<std::uint8_t>(tile < 6 ? rows : depth);
      c.bytes[tile] = static_cast<std::uint16_t>(tile == 4 || tile == 5 ? 4 * depth : 64);
    }
    fence(&c);
    _tile_loadconfig(&c);
  }
  static void release() { _tile_release(); }
  /// g++ does not see that these instructions read memory: what was written must not stay behind in registers.
  static void fence(const void* memory) { __asm__ volatile("" : : "r"(memory) : "memory"); }

  static void clear_results() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  template <int I, int J>
  static void load_result(const float* from, Index bytes_a_row) {
    if constexpr (I == 0 && J == 0) _tile_loadd(0, from, bytes_a_row);
    if constexpr (I == 0 && J == 1) _tile_loadd(1, from, bytes_a_row);
    if constexpr (I == 1 && J == 0) _tile_loadd(2, from, bytes_a_row);
    if constexpr (I == 1 && J == 1) _tile_loadd(3, from, bytes_a_row);
  }
  template <int I>
  static void load_left(const Pair* from, Index bytes_a_row) {
    if constexpr (I == 0)
      _tile_loadd(4, from, bytes_a_row);
    else
      _tile_loadd(5, from, bytes_a_row);
  }
  template <int J>
  static void load_right(const Pair* from) {
    if constexpr (J == 0)
      _tile_loadd(6, from, 64);
    else
      _tile_loadd(7, from, 64);
  }
  template <int I, int J>
  static void multiply_add() {
    if constexpr (I == 0 && J == 0) _tile_dpbf16ps(0, 4, 6);
    if constexpr (I == 0 && J == 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (I == 1 && J == 0) _tile_dpbf16ps(2, 5, 6);
    if constexpr (I == 1 && J == 1) _tile_dpbf16ps(3, 5, 7);
  }
  template <int I, int J>
  static void store(float* to, Index bytes_a_row) {
    if constexpr (I == 0 && J == 0) _tile_stored(0, to, bytes_a_row);
    if constexpr (I == 0 && J == 1) _tile_stored(1, to, bytes_a_row);
    if constexpr (I == 1 && J == 0) _tile_stored(2, to, bytes_a_row);
    if constexpr (I == 1 && J == 1) _tile_stored(3, to, bytes_a_row);
  }
};

#endif

/// Configures this thread's tiles for a scope.
struct TileScope {
  TileScope(int rows, int depth) { Tiles::configure(rows, depth); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
  ~TileScope() { Tiles::release(); }
};

/// Results of `Rows` tiles of rows, which start at `left`, and `Panels` panels from `panel` on: row i of tile r and
/// panel p at c + (16 r + i) c_row + p c_panel.
template <int Rows, int Panels>
inline void amx_tiles(const Pair* const (&left)[2], Index panel, const AmxSum& s, float* c) {
  Index const row_bytes = s.c_row * static_cast<Index>(sizeof(float));
  float* const below = c + 16 * s.c_row;
  if (s.adds) {
    Tiles::load_result<0, 0>(c, row_bytes);
    if constexpr (Panels == 2) Tiles::load_result<0, 1>(c + s.c_panel, row_bytes);
    if constexpr (Rows == 2) Tiles::load_result<1, 0>(below, row_bytes);
    if constexpr (Rows == 2 && Panels == 2) Tiles::load_result<1, 1>(below + s.c_panel, row_bytes);
  } else {
    Tiles::clear_results();
  }
  Index const blocks = s.blocks();
  for (Index segment = 0; segment < s.segments; ++segment) {
    for (Index block = 0; block < blocks; ++block) {
      bool const last = s.has_tails() && block == blocks - 1;
      Index const a = s.a_offset[segment] + (last ? s.units - amx_depth : block * amx_depth);
      const Pair* const b = last
                                ? s.tails + (panel * s.segments + segment) * amx_tail
                                : s.right + panel * s.panel_stride + segment * s.units * panel_width + block * amx_tail;
      Index const next_panel = last ? s.segments * amx_tail : s.panel_stride;
      Tiles::load_right<0>(b);
      Tiles::load_left<0>(left[0] + a, s.row_bytes);
      Tiles::multiply_add<0, 0>();
      if constexpr (Rows == 2) {
        Tiles::load_left<1>(left[1] + a, s.row_bytes);
        Tiles::multiply_add<1, 0>();
      }
      if constexpr (Panels == 2) {
        Tiles::load_right<1>(b + next_panel);
        Tiles::multiply_add<0, 1>();
        if constexpr (Rows == 2) Tiles::multiply_add<1, 1>();
      }
    }
  }
  Tiles::store<0, 0>(c, row_bytes);
  if constexpr (Panels == 2) Tiles::store<0, 1>(c + s.c_panel, row_bytes);
  if constexpr (Rows == 2) Tiles::store<1, 0>(below, row_bytes);
  if constexpr (Rows == 2 && Panels == 2) Tiles::store<1, 1>(below + s.c_panel, row_bytes);
}

inline void any_amx_tiles(bool two_rows, bool two_panels, const Pair* const (&left)[2], Index panel, const AmxSum& s,
                          float* c) {
  if (two_rows && two_panels) return amx_tiles<2, 2>(left, panel, s, c);
  if (two_rows) return amx_tiles<2, 1>(left, panel, s, c);
  if (two_panels) return amx_tiles<1, 2>(left, panel, s, c);
  amx_tiles<1, 1>(left, panel, s, c);
}

/// The last block of each segment of panels [begin, end): its 16 unit rows end with the segment, and those that the
/// block before has covered are zero here.
inline void pack_amx_tails(const AmxSum& s, Pair* tails, Index begin, Index end) {
  Index const covered = (s.blocks() * amx_depth - s.units) * panel_width;
  for (Index panel = begin; panel < end; ++panel) {
    for (Index segment = 0; segment < s.segments; ++segment) {
      Pair* const to = tails + (panel * s.segments + segment) * amx_tail;
      const Pair* const from = s.right + panel * s.panel_stride + ((segment + 1) * s.units - amx_depth) * panel_width;
      for (Index i = 0; i < amx_tail; ++i) to[i] = i < covered ? Pair{} : from[i];
    }
  }
}

/// Adds one chunk of a weight gradient to `sums` (panels, channel tiles, taps, 16, 16). Two panels of the right operand
/// stay in the first-level cache while the left one passes, whose channels serve all taps in turn.
inline void add_amx_gradient(const AmxGradient& g, const AmxSum& sum, const bf16* left, float* sums) {
  Index const tiles = g.tiles(), panels = g.panels();
  TileScope const scope(16, amx_depth);
  for (Index panel = 0; panel < panels; panel += 2) {
    for (Index tile = 0; tile < tiles; tile += 2) {
      const Pair* start[2] = {};
      bool const two_tiles = tile + 1 < tiles;
      for (int r = 0; r < (two_tiles ? 2 : 1); ++r) {
        Index const channel = (tile + r) / g.taps * 16, tap = (tile + r) % g.taps;
        start[r] = reinterpret_cast<const Pair*>(left + channel * g.pitch + g.tap_offset[tap]);
      }
      any_amx_tiles(two_tiles, panel + 1 < panels, start, panel, sum, sums + (panel * tiles + tile) * amx_results);
    }
  }
}
