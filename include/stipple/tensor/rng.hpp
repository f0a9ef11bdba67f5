// Keyed randomness: a number depends on (seed, purpose, draw, sample, element) and on nothing else.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/core/draw_key.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// A seed and a count of draws. Each drawing function takes the next draw number; row i of a draw is a function of
/// (seed, purpose, draw number, first_sample + i), so batch size, batch split, threads and device do not change it.
/// Two integers are the whole state, which makes exact resume trivial.
class Rng {
 public:
  explicit Rng(std::uint64_t seed = 0, std::uint64_t draws = 0) : seed_(seed), draws_(draws) {}

  std::uint64_t seed() const { return seed_; }
  std::uint64_t draws() const { return draws_; }
  /// Takes the next draw number.
  std::uint64_t next_draw() { return draws_++; }

  /// Standard normals of `shape`; the first axis counts samples from `first_sample`.
  Tensor<float> normal(Shape shape, Purpose purpose = Purpose::user, std::uint64_t first_sample = 0);
  /// Uniforms in [low, high).
  Tensor<float> uniform(Shape shape, float low = 0, float high = 1, Purpose purpose = Purpose::user,
                        std::uint64_t first_sample = 0);
  /// Integers in [low, high); one per sample for shape (N). Throws unless low < high.
  Tensor<std::int32_t> integers(Shape shape, std::int32_t low, std::int32_t high, Purpose purpose = Purpose::user,
                                std::uint64_t first_sample = 0);

 private:
  std::uint64_t seed_;
  std::uint64_t draws_;
};

/// Fills one row (one sample's elements) with standard normals.
STIPPLE_INLINE void fill_normal_row(float* out, Index n, const DrawKey& key, std::uint64_t sample);

namespace detail {
/// Elements of a sample, and samples, of a tensor whose first axis counts them.
STIPPLE_INLINE Index row_size(const Shape& shape);
STIPPLE_INLINE Index row_count(const Shape& shape);
}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES(core) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_INLINE void fill_normal_row(float* out, Index n, const DrawKey& key, std::uint64_t sample) {
  for (Index i = 0; i < n; i += 4) {
    auto const w = key.words(sample, static_cast<std::uint64_t>(i) / 4);
    auto const a = normals_from_words(w[0], w[1]);
    auto const b = normals_from_words(w[2], w[3]);
    float const four[4] = {a[0], a[1], b[0], b[1]};
    for (Index j = i; j < n && j < i + 4; ++j) out[j] = four[j - i];
  }
}

}  // namespace stipple

namespace stipple::detail {

// Calls row(sample index in the batch) for each sample, several small rows to a chunk.
template <class Row>
void for_each_row(Index rows, Index row_size, const Row& row) {
  Index const grain = std::max<Index>(1, 4096 / std::max<Index>(1, row_size));
  parallel_for(rows, grain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) row(i);
  });
}

STIPPLE_INLINE Index row_size(const Shape& shape) { return shape.rank() == 0 ? 1 : shape.count(1, shape.rank()); }

STIPPLE_INLINE Index row_count(const Shape& shape) { return shape.rank() == 0 ? 1 : shape[0]; }

}  // namespace stipple::detail

namespace stipple {

STIPPLE_INLINE Tensor<float> Rng::normal(Shape shape, Purpose purpose, std::uint64_t first_sample) {
  Tensor<float> out(shape);
  DrawKey const key(seed_, purpose, next_draw());
  Index const n = detail::row_size(shape);
  detail::for_each_row(detail::row_count(shape), n, [&, data = out.data()](Index i) {
    fill_normal_row(data + i * n, n, key, first_sample + static_cast<std::uint64_t>(i));
  });
  return out;
}

STIPPLE_INLINE Tensor<float> Rng::uniform(Shape shape, float low, float high, Purpose purpose,
                                          std::uint64_t first_sample) {
  Tensor<float> out(shape);
  DrawKey const key(seed_, purpose, next_draw());
  Index const n = detail::row_size(shape);
  float const last = std::nextafter(high, low);  // rounding must not reach `high`
  detail::for_each_row(detail::row_count(shape), n, [&, data = out.data()](Index i) {
    for (Index j = 0; j < n; ++j) {
      auto const w = key.words(first_sample + static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j) / 4);
      float const u = std::fmaf(uniform_from_word(w[static_cast<std::size_t>(j % 4)]), high - low, low);
      data[i * n + j] = u < high ? u : last;
    }
  });
  return out;
}

STIPPLE_INLINE Tensor<std::int32_t> Rng::integers(Shape shape, std::int32_t low, std::int32_t high, Purpose purpose,
                                                  std::uint64_t first_sample) {
  require(low < high, "Rng::integers: given the range [", low, ", ", high, "), wanted low < high");
  Tensor<std::int32_t> out(shape);
  DrawKey const key(seed_, purpose, next_draw());
  Index const n = detail::row_size(shape);
  auto const range = static_cast<std::uint64_t>(static_cast<std::int64_t>(high) - low);
  detail::for_each_row(detail::row_count(shape), n, [&, data = out.data()](Index i) {
    for (Index j = 0; j < n; ++j) {
      // A 64-bit product of two words: the bias is below range / 2^64.
      auto const w = key.words(first_sample + static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j) / 2);
      std::size_t const k = j % 2 == 0 ? 0 : 2;
      std::uint64_t const high_part = (std::uint64_t{w[k]} * range) >> 32;
      std::uint64_t const low_part = std::uint64_t{static_cast<std::uint32_t>(std::uint64_t{w[k]} * range)};
      std::uint64_t const carry = (low_part + ((std::uint64_t{w[k + 1]} * range) >> 32)) >> 32;
      data[i * n + j] = static_cast<std::int32_t>(low + static_cast<std::int64_t>(high_part + carry));
    }
  });
  return out;
}

}  // namespace stipple

#endif
