// Kernel text for benchmarks/ops/peak.cpp: tile products on four blocks of results, operands staying in their tiles.

inline void peak_tiles(Index rounds, float* result) {
  alignas(64) Pair const zeros[16 * 16] = {};
  alignas(64) float c[16 * 16];
  TileScope const scope(16, 16);
  Tiles::clear_results();
  Tiles::load_left<0>(zeros, 64);
  Tiles::load_left<1>(zeros, 64);
  Tiles::load_right<0>(zeros);
  Tiles::load_right<1>(zeros);
  for (Index i = 0; i < rounds; ++i) {
    Tiles::multiply_add<0, 0>();
    Tiles::multiply_add<0, 1>();
    Tiles::multiply_add<1, 0>();
    Tiles::multiply_add<1, 1>();
  }
  Tiles::store<0, 0>(c, 64);
  *result += c[0];
}
