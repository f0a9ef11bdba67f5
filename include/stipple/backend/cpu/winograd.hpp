// 3x3 convolutions of bf16 by minimal filtering (Lavin & Gray 2015, arXiv:1509.09308, after Winograd and Cook & Toom),
// which needs a fifth of the products. Tiles of 7x7 or 8x8 results; all arithmetic between loads and stores is in
// float.
//
// A tile is Y = A' [(G g G') o (B' d B)] A, with one number a pair of points, so that over all tiles, channels and
// outputs each pair of points is a matrix product. Float errors of the transforms grow with the tile and depend on the
// points: these keep them near 1e-5 of a result's root mean square, where bf16 rounds to 2e-3.
#pragma once

#include <algorithm>

#include <stipple/backend/cpu/amx.hpp>
#include <stipple/backend/cpu/conv_window.hpp>
#include <stipple/backend/cpu/small_product.hpp>

namespace stipple::cpu {

/// Points a sample needs in tiles of `tile`.
inline Index winograd_points(Index grid_h, Index grid_w, Index tile) {
  return ((grid_h + tile - 1) / tile) * ((grid_w + tile - 1) / tile) * (tile + 2) * (tile + 2);
}

/// The size of tiles for a grid, or 0 if the direct form is about as fast, for 3x3 convolutions of bf16 with stride and
/// dilation 1. A function of a sample's shape and the instruction set, because the forms round differently.
inline int winograd_tile(Index grid_h, Index grid_w, Index channels, Index outputs) {
  constexpr Index fewest = 16, widest = 1024;  // a row of tiles is transformed at a time
  if (has_amx() || std::min(channels, outputs) < fewest || grid_w > widest) return 0;
  Index const small = winograd_points(grid_h, grid_w, 7), large = winograd_points(grid_h, grid_w, 8);
  // A transform takes as long as the products of so many channels. Dot products take two numbers at a time.
  constexpr double transform = 12, gain = 1.15;
  double const points = static_cast<double>(std::min(small, large)),
               transforms = transform / static_cast<double>(channels) + transform / static_cast<double>(outputs),
               direct = static_cast<double>(9 * grid_h * grid_w) / (uses_pairs<bf16>() ? 2 : 1);
  if (points * (1 + transforms) * gain > direct) return 0;
  return small <= large ? 7 : 8;
}

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

/// The polynomials of F(Tile, 3), whose points are infinity, four pairs +-p and, for tiles of 8, zero.
template <int Tile>
struct Winograd {
  static_assert(Tile == 7 || Tile == 8);
  static constexpr int pairs = 4, zero = Tile - 7, points = Tile + 2, all_points = points * points;

  float power[Tile][pairs]{};        ///< p^i
  float others[pairs][pairs - 1]{};  ///< prod (x^2 - q^2) over the pairs q other than p: from x^0, and x^6 once
  float every[pairs]{};              ///< the same over all pairs: from x^0, and x^8 once
  float scale[3][pairs]{};           ///< p^i over the product of the distances of p to the other finite points
  float zero_scale = 0;              ///< the same for the point zero
  bool odd = zero == 0;              ///< whether that product changes its sign from p to -p

  constexpr Winograd() {
    constexpr double small[pairs] = {0.25, 0.625, 1.125, 2}, large[pairs] = {0.375, 0.875, 1.25, 2.5};
    double product[pairs + 1] = {1};
    for (int k = 0; k < pairs; ++k) {
      double const p = zero == 0 ? small[k] : large[k];
      double distances = zero == 0 ? 2 * p : 2 * p * p, other[pairs] = {1};
      for (int i = 0, degree = 0; i < pairs; ++i) {
        double const q = zero == 0 ? small[i] : large[i];
        if (i == k) continue;
        distances *= p * p - q * q;
        multiply(other, ++degree, q * q);
      }
      multiply(product, k + 1, p * p);
      double at = 1;
      for (int i = 0; i < Tile; ++i, at *= p) {
        power[i][k] = static_cast<float>(at);
        if (i < 3) scale[i][k] = static_cast<float>(at / distances);
      }
      for (int i = 0; i + 1 < pairs; ++i) others[k][i] = static_cast<float>(other[i]);
    }
    for (int i = 0; i < pairs; ++i) every[i] = static_cast<float>(product[i]);
    zero_scale = static_cast<float>(1 / product[0]);
  }

 private:
  /// Coefficients of a polynomial in y, of degree `degree` afterwards, times (y - root).
  static constexpr void multiply(double* polynomial, int degree, double root) {
    polynomial[degree] = 0;
    for (int i = degree; i > 0; --i) polynomial[i] = polynomial[i - 1] - root * polynomial[i];
    polynomial[0] *= -root;
  }
};
template <int Tile>
inline constexpr Winograd<Tile> winograd{};

/// A grid cut into tiles, and the strides of the operands: numbers from one pair of points to the next, with a cache
/// line between them, because steps of a power of two would all fall into one set of a cache.
struct WinogradPlan {
  int tile = 0;
  Index tiles_h = 0, tiles_w = 0, rows = 0;
  Index channels = 0, outputs = 0;

  Index tiles() const { return rows * tiles_w; }
  Index points() const { return (tile + 2) * (tile + 2); }
  /// Channels and outputs in whole vectors.
  Index depth() const { return (channels + 15) / 16 * 16; }
  Index width() const { return (outputs + 15) / 16 * 16; }
  static Index plane(Index numbers) { return numbers + 16; }
  Index weight_plane() const { return plane(channels * width()); }
  Index output_blocks() const;
  /// Rows of tiles whose operands about fill the second-level cache, or a few more, so that weights are read less
  /// often.
  Index rows_together() const {
    constexpr Index budget = 1024 * 1024 / sizeof(float), fewest = 12, most = 96;
    return std::max<Index>(1, std::clamp(budget / (points() * (depth() + width())), fewest, most) / tiles_w);
  }
};
/// Rows of tiles whose terms of a weight gradient are added together, and the strides of their operands.
struct WinogradChunk {
  Index begin, end, tiles, left_row, left_plane, right_plane;

  WinogradChunk(const WinogradPlan& p, Index first, Index last)
      : begin(first),
        end(last),
        tiles((last - first) * p.tiles_w),
        left_row(p.depth() + 16),
        left_plane(WinogradPlan::plane(tiles * left_row)),
        right_plane(WinogradPlan::plane(tiles * p.width())) {}
};
/// Outputs and channels whose weights are transformed together, so that results are written in runs.
inline constexpr Index winograd_outputs_together = 32, winograd_channels_together = 8;
/// Channels whose gradients of weights are.
inline constexpr Index winograd_gradients_together = 24;

inline Index WinogradPlan::output_blocks() const {
  return (outputs + winograd_outputs_together - 1) / winograd_outputs_together;
}

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/winograd.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/winograd_gradient.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

template <class T>
WinogradPlan winograd_plan(const ConvGather<T>& g) {
  WinogradPlan p;
  bool const whole = g.taps_h == 3 && g.taps_w == 3 && g.stride == 1 && g.dilation == 1 && g.spread == 1;
  if (!whole || g.out_step != 1) return p;
  p.tile = winograd_tile(g.grid_h, g.grid_w, g.channels, g.outputs);
  if (p.tile == 0) return p;
  p.tiles_h = (g.grid_h + p.tile - 1) / p.tile, p.tiles_w = (g.grid_w + p.tile - 1) / p.tile;
  p.rows = g.n * p.tiles_h;
  p.channels = g.channels, p.outputs = g.outputs;
  return p;
}

#define STIPPLE_CPU_DISPATCH_WINOGRAD(tile, f, ...)        \
  do {                                                     \
    if (tile == 7)                                         \
      STIPPLE_CPU_DISPATCH(bf16, f<7, bf16>(__VA_ARGS__)); \
    else                                                   \
      STIPPLE_CPU_DISPATCH(bf16, f<8, bf16>(__VA_ARGS__)); \
  } while (false)

/// The convolution, if it is one for this form; false if not.
inline bool conv_gather_winograd(ConvGather<bf16> g) {
  WinogradPlan const p = winograd_plan(g);
  if (p.tile == 0) return false;
  g.plane_columns = p.tiles_w * p.tile + 2;

  Index const taps = 9, matrix = g.channels * g.outputs;
  Scratch<bf16> const turned(g.weight_n_stride == 1 ? 0 : taps * matrix);
  if (g.weight_n_stride != 1) {  // (outputs, channels) a tap
    parallel_for(taps, std::max<Index>(1, 32 * 1024 / matrix), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i)
        STIPPLE_CPU_DISPATCH_PAIRS(transpose(g.weight + i * g.weight_tap, g.weight_n_stride, g.outputs, g.channels,
                                             turned.data() + i * matrix, g.outputs));
    });
    g.weight = turned.data(), g.weight_tap = matrix, g.weight_k_stride = g.outputs, g.weight_n_stride = 1;
  }
  constexpr Index few = 32;  // tiles for which it is better to transform weights as they are needed, in cache
  if (p.tiles() <= few) {
    Index const plane = p.plane(p.tiles() * p.depth());
    Scratch<float> const left(p.points() * plane);
    parallel_for(p.rows, 1, [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_input_rows, g, p, left.data() + begin * p.tiles_w * p.depth(),
                                    plane, begin, end);
    });
    parallel_for(p.output_blocks(), 1, [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_outputs, g, p, left.data(), begin, end);
    });
    return true;
  }
  Scratch<float> const weights(p.points() * p.weight_plane());
  parallel_for(p.output_blocks() * ((p.channels + winograd_channels_together - 1) / winograd_channels_together), 4,
               [&](Index begin, Index end) {
                 STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_weight_blocks, g, p, weights.data(), begin, end);
               });
  Index const block = std::min(p.rows_together(), (p.rows + num_threads() - 1) / num_threads());
  parallel_for((p.rows + block - 1) / block, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_rows, g, p, weights.data(), i * block,
                                    std::min(p.rows, (i + 1) * block));
  });
  return true;
}

// The gradient of the weight, (3, 3, channels, out_channels), for the outputs of one group. Tiles are transformed and
// multiplied in chunks that depend on the shape alone.
inline void winograd_gradient(const WinogradPlan& p, ConvGather<bf16> g, const bf16* dy, float* dw) {
  g.plane_columns = p.tiles_w * p.tile + 2;
  ConvGather<bf16> o;
  o.source = dy;
  o.n = g.n, o.h = g.grid_h, o.w = g.grid_w, o.source_channels = g.out_channels, o.source_offset = g.out_offset;
  o.channels = g.outputs, o.plane_columns = p.tiles_w * p.tile;

  constexpr Index budget = 16 * 1024 * 1024 / sizeof(float), fewest = 32, most = 128;
  Index const tiles = std::clamp(budget / (p.points() * (p.depth() + p.width())), fewest, most);
  Index const rows = std::min(p.rows, std::max<Index>(1, tiles / p.tiles_w));
  auto const transform = [&](const WinogradChunk& chunk, float* left, float* right) {
    parallel_for(chunk.end - chunk.begin, 1, [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_gradient_rows, g, o, p, chunk, left, right, chunk.begin + begin,
                                    chunk.begin + end);
    });
  };
  WinogradChunk const largest(p, 0, rows);
  Scratch<float> const left(p.points() * largest.left_plane), right(p.points() * largest.right_plane);
  constexpr Index few = 64;  // tiles for which it is better to multiply by blocks of weights, whose sums stay in cache
  if (p.tiles() <= few && rows == p.rows) {
    transform(largest, left.data(), right.data());
    Index const runs = (p.channels + winograd_gradients_together - 1) / winograd_gradients_together;
    parallel_for(p.output_blocks() * runs, 1, [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_gradient_blocks, g, p, largest, left.data(), right.data(), dw,
                                    begin, end);
    });
    return;
  }
  Scratch<float> const sums(p.points() * p.weight_plane());
  for (Index row = 0; row < p.rows; row += rows) {
    WinogradChunk const chunk(p, row, std::min(p.rows, row + rows));
    transform(chunk, left.data(), right.data());
    Into const into = row == 0 ? Into::overwrite : Into::add;
    parallel_for(p.points(), 1, [&](Index begin, Index end) {
      STIPPLE_CPU_DISPATCH(
          bf16, winograd_gradient_points(p, chunk, left.data(), right.data(), sums.data(), into, begin, end));
    });
  }
  parallel_for(p.channels, 4, [&](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH_WINOGRAD(p.tile, winograd_gradient_weights, g, p, sums.data() + begin * p.width(), p.width(),
                                  p.weight_plane(), dw, begin, end, 0, p.outputs);
  });
}

/// The gradient of the weight of all groups, if the convolution is one for this form; false if not.
inline bool conv_weight_gradient_winograd(ConvGather<bf16> g, Index groups, const bf16* dy, float* dw) {
  WinogradPlan const p = winograd_plan(g);
  for (Index group = 0; p.tile != 0 && group < groups; ++group) {
    g.source_offset = group * g.channels;
    g.out_offset = group * g.outputs;
    winograd_gradient(p, g, dy, dw);
  }
  return p.tile != 0;
}

}  // namespace stipple::cpu

#endif
