// What group and batch normalisation share: how (samples, pixels, channels) is cut into tiles and slabs, moments of a
// slab and their merging, and patterns of per-channel numbers. Cuts depend on the shape alone, never on the number of
// threads or of samples, so results don't either.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <stipple/backend/cpu/activation_functors.hpp>
#include <stipple/backend/cpu/lanes.hpp>
#include <stipple/backend/norm_shape.hpp>

namespace stipple::cpu {

/// Mean of a set of values, and the sum of their squared distances from it.
struct Moments {
  double mean = 0, squares = 0;

  /// From the sums of d = x - shift and d^2 over n values.
  static Moments about(double shift, double sum, double sum_of_squares, double n) {
    return {shift + sum / n, std::max(0.0, sum_of_squares - sum * sum / n)};
  }
  /// Of both sets together, of `n` and `m` values (Chan, Golub and LeVeque 1983).
  Moments merged(double n, const Moments& other, double m) const {
    double const delta = other.mean - mean, share = m / (n + m);
    return {mean + delta * share, squares + other.squares + delta * delta * n * share};
  }
};

/// Numbers of channels or groups, laid out over a tile. One vector beyond the end may be read.
template <class C>
struct NormPatterns {
  const C *mean, *scale, *shift;

  /// From position i on.
  NormPatterns from(Index i) const { return {mean + i, scale + i, shift + i}; }
};

/// A shape and its cuts.
struct NormPlan {
  Index samples, pixels, channels, groups;
  Index tile;   ///< pixels over which patterns are laid out: whole vectors, where channels are few
  Index slab;   ///< pixels whose statistics are taken at a time
  Index slabs;  ///< of an image

  NormPlan(Index samples_, Index pixels_, Index channels_, Index groups_)
      : samples(samples_), pixels(pixels_), channels(channels_), groups(groups_) {
    constexpr Index lanes = 16, small_tile = 128, large_tile = 4096, slab_elements = 16 * 1024;
    tile = lanes / std::gcd(channels, lanes);
    if (tile * channels > large_tile) tile = 1;
    while (tile * channels < small_tile) tile *= 2;
    tile = std::min(tile, std::max<Index>(1, pixels));
    slab = tile * std::max<Index>(16, slab_elements / (tile * channels));
    slabs = (pixels + slab - 1) / slab;
  }
  NormPlan(const NormShape& s) : NormPlan(s.samples, s.pixels, s.channels, s.groups) {}
  Index group_channels() const { return channels / groups; }
  Index tile_size() const { return tile * channels; }
  /// Room for `tiles` patterns and the vector that may be read behind them.
  std::size_t room(Index tiles) const { return static_cast<std::size_t>(tiles * tile_size() + 16); }
  Index image_size() const { return pixels * channels; }
  Index slab_pixels(Index s) const { return std::min(slab, pixels - s * slab); }
  /// Images a chunk of work should hold.
  Index grain() const { return std::max<Index>(1, 16 * 1024 / std::max<Index>(1, image_size())); }
  /// True if there are too few images to give every thread some: then the slabs are shared out.
  bool by_slabs() const { return slabs > 1 && num_threads() > 1 && samples < 4 * num_threads(); }
};

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/norm_tiles.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

/// totals[g] = sum of the positions of a tile that belong to group g.
template <class C>
void fold_tile(const NormPlan& plan, const C* positions, Index groups, double* totals) {
  Index const channels = plan.channels / groups;
  std::fill_n(totals, groups, 0.0);
  for (Index pixel = 0; pixel < plan.tile; ++pixel)
    for (Index g = 0; g < groups; ++g)
      for (Index c = 0; c < channels; ++c) totals[g] += static_cast<double>(*positions++);
}

/// Repeats the first pixel of a pattern over the tile.
template <class C>
void repeat_pixel(const NormPlan& plan, C* pattern) {
  for (Index pixel = 1; pixel < plan.tile; ++pixel)
    std::copy_n(pattern, plan.channels, pattern + pixel * plan.channels);
}

/// Moments of every group over `pixels` pixels at `x`. `scratch` has room for three tiles. See flat_moments on shifts.
template <class T>
void slab_moments(const NormPlan& plan, const T* x, Index pixels, compute_t<T>* scratch, Moments* out) {
  using C = compute_t<T>;
  Index const size = pixels * plan.channels, tile = plan.tile_size();
  if (plan.groups == 1) {
    STIPPLE_CPU_DISPATCH(T, flat_moments<T>(x, size, out));
    return;
  }
  C *const shift = scratch, *const total = scratch + tile, *const squares = scratch + 2 * tile;
  std::vector<double> sums(static_cast<std::size_t>(2 * plan.groups));
  double* const sums_of_squares = sums.data() + plan.groups;
  Index const channels = plan.group_channels();

  Index const sampled = std::min(pixels, std::max<Index>(1, pixels / (8 * plan.tile)) * plan.tile);
  std::fill_n(scratch, 3 * tile, C(0));
  STIPPLE_CPU_DISPATCH(T, tile_moments<T>(x, shift, sampled * plan.channels, tile, total, squares));
  fold_tile(plan, total, plan.groups, sums.data());
  for (Index g = 0; g < plan.groups; ++g) {
    auto const k = static_cast<C>(sums[static_cast<std::size_t>(g)] / static_cast<double>(sampled * channels));
    std::fill_n(shift + g * channels, channels, k);
    out[g].mean = static_cast<double>(k);
  }
  repeat_pixel(plan, shift);

  std::fill_n(total, 2 * tile, C(0));
  STIPPLE_CPU_DISPATCH(T, tile_moments<T>(x, shift, size, tile, total, squares));
  fold_tile(plan, total, plan.groups, sums.data());
  fold_tile(plan, squares, plan.groups, sums_of_squares);
  for (Index g = 0; g < plan.groups; ++g)
    out[g] = Moments::about(out[g].mean, sums[static_cast<std::size_t>(g)], sums_of_squares[g],
                            static_cast<double>(pixels * channels));
}

/// Merges the moments of all slabs of an image, (slabs, groups), into those of the first slab, for groups
/// [begin, end).
inline void merge_slabs(const NormPlan& plan, Moments* moments, Index begin, Index end) {
  auto const channels = static_cast<double>(plan.group_channels());
  double count = static_cast<double>(plan.slab_pixels(0)) * channels;
  for (Index s = 1; s < plan.slabs; ++s) {
    double const more = static_cast<double>(plan.slab_pixels(s)) * channels;
    for (Index g = begin; g < end; ++g) moments[g] = moments[g].merged(count, moments[s * plan.groups + g], more);
    count += more;
  }
}

/// Patterns of mean, rstd weight and bias in `room` for three tiles. A null weight is 1, a null bias 0.
template <class C>
NormPatterns<C> norm_patterns(const NormPlan& plan, const C* mean, const C* rstd, const C* weight, const C* bias,
                              C* room) {
  Index const tile = plan.tile_size(), channels = plan.group_channels();
  for (Index g = 0; g < plan.groups; ++g) {
    std::fill_n(room + g * channels, channels, mean[g]);
    std::fill_n(room + tile + g * channels, channels, rstd[g]);
  }
  for (Index c = 0; weight != nullptr && c < plan.channels; ++c) room[tile + c] *= weight[c];
  if (bias != nullptr)
    std::copy_n(bias, plan.channels, room + 2 * tile);
  else
    std::fill_n(room + 2 * tile, plan.channels, C(0));
  for (int i = 0; i < 3; ++i) repeat_pixel(plan, room + i * tile);
  return {room, room + tile, room + 2 * tile};
}

/// Adds to sums, (2, channels), those of g = dy f'(z) and of g (x - mean) over `pixels` pixels. g is written to `g`,
/// unless f is the identity. `scratch` has room for two tiles.
template <class T>
void slab_gradient_sums(const NormPlan& plan, Activation kind, const T* dy, const T* x,
                        NormPatterns<compute_t<T>> patterns, T* g, Index pixels, compute_t<T>* scratch, double* sums) {
  using C = compute_t<T>;
  Index const tile = plan.tile_size(), channels = plan.channels;
  std::fill_n(scratch, 2 * tile, C(0));
  STIPPLE_CPU_DISPATCH(T, gradient_sums<T>(kind, dy, x, patterns, g, pixels * channels, tile, scratch, scratch + tile));
  for (Index i = 0; i < 2; ++i)
    for (Index c = 0; c < channels; ++c) {
      double sum = 0;  // of the slab alone: the same bits whether slabs are added one by one or kept apart
      for (Index pixel = 0; pixel < plan.tile; ++pixel)
        sum += static_cast<double>(scratch[i * tile + pixel * channels + c]);
      sums[i * channels + c] += sum;
    }
}

}  // namespace stipple::cpu
