// Point sets in the plane, as scikit-learn defines them and the courses scale them.
#pragma once

#include <array>
#include <cmath>
#include <numbers>
#include <string_view>
#include <utility>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple::data {

/// The sets. "Scaled" means 2 (x - mean) / std, with one mean and one population std over all numbers of the set.
enum class PointSet {
  gaussian_centered,        ///< standard normals
  gaussian_shift,           ///< standard normals + 1.5
  circle,                   ///< two circles of radius 4 and 2, evenly spaced, in random order
  s_curve,                  ///< columns 0 and 2 of the S-curve, scaled
  moon,                     ///< two half-circles, evenly spaced, in random order, scaled
  swiss_roll,               ///< columns 0 and 2 of the Swiss roll with a hole, scaled
  swiss_roll_without_hole,  ///< columns 0 and 2 of the full Swiss roll, scaled
  checkerboard,             ///< every other square of side pi in [-2 pi, 2 pi]^2, scaled
};

inline constexpr std::array<std::string_view, 8> point_set_names{
    "gaussian_centered", "gaussian_shift",          "circle",      "s_curve", "moon",
    "swiss_roll",        "swiss_roll_without_hole", "checkerboard"};

inline std::string to_text(PointSet set) { return std::string(point_set_names[static_cast<std::size_t>(set)]); }

/// The set of that name. Throws for any other, listing the names.
STIPPLE_INLINE PointSet point_set_by_name(std::string_view name);

/// scale (x - mean) / std in place, with one mean and one population standard deviation over all numbers.
/// Throws if there are none, or all are equal.
STIPPLE_INLINE void standardize(Tensor<float>& points, double scale = 2);

namespace detail {

using Point = std::array<double, 2>;
inline constexpr double pi = std::numbers::pi;

// Uniform in [0, 1) with 32 bits.
STIPPLE_INLINE double uniform(std::uint32_t word);

STIPPLE_INLINE Point s_curve(const PhiloxWords& w);

// Squares where the sines of both coordinates have opposite signs.
STIPPLE_INLINE Point checkerboard(const PhiloxWords& w);

// Point i of n on two arcs: the first n / 2 on the outer one.
STIPPLE_INLINE Point circle(Index i, Index n);
STIPPLE_INLINE Point moon(Index i, Index n);

template <class At>
Tensor<float> collect(Index n, const At& at) {
  Tensor<float> points({n, 2});
  parallel_for(n, 4096, [&, out = points.data()](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      Point const p = at(i);
      out[2 * i] = static_cast<float>(p[0]);
      out[2 * i + 1] = static_cast<float>(p[1]);
    }
  });
  return points;
}

}  // namespace detail

/// `n` points (n, 2) of a set. They depend on the seed and the draw of `rng` alone; in the sets that are neither evenly
/// spaced nor scaled, point i does not depend on n. Throws unless n is at least 2.
STIPPLE_INLINE Tensor<float> points(PointSet set, Index n, Rng& rng);

}  // namespace stipple::data

#if STIPPLE_DEFINES(data)

namespace stipple::data {

STIPPLE_INLINE PointSet point_set_by_name(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < point_set_names.size(); ++i) {
    if (point_set_names[i] == name) return static_cast<PointSet>(i);
    known += (i > 0 ? ", " : "") + std::string(point_set_names[i]);
  }
  fail("points: given set '", name, "', wanted one of ", known);
}

STIPPLE_INLINE void standardize(Tensor<float>& points, double scale) {
  auto const values = points.span();
  auto const n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (float const value : values) sum += static_cast<double>(value);
  double const mean = sum / n;
  for (float const value : values) squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  double const factor = scale / std::sqrt(squares / n);
  require(std::isfinite(factor), "standardize: given ", values.size(),
          " numbers without spread, wanted at least two different finite ones");
  parallel_for(points.size(), 16 * 1024, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      points.data()[i] = static_cast<float>((static_cast<double>(points.data()[i]) - mean) * factor);
  });
}

}  // namespace stipple::data

namespace stipple::data::detail {

STIPPLE_INLINE double uniform(std::uint32_t word) { return static_cast<double>(word) * 0x1p-32; }

// x and z of the roll at parameter t; its y is projected away.
inline Point roll_at(double t) { return {t * std::cos(t), t * std::sin(t)}; }

// The roll's sheet, t from 3 pi / 2 to 9 pi / 2, is cut into 3 x 3 pieces along t and y; the middle one is the hole. So
// the second third of t has two pieces where the others have three.
inline Point swiss_roll_with_hole(const PhiloxWords& w) {
  constexpr std::array<int, 8> third{0, 0, 0, 1, 1, 2, 2, 2};
  return roll_at(pi * (1.5 + third[w[0] >> 29] + uniform(w[1])));
}

inline Point swiss_roll_full(const PhiloxWords& w) { return roll_at(1.5 * pi * (1 + 2 * uniform(w[0]))); }

STIPPLE_INLINE Point s_curve(const PhiloxWords& w) {
  double const t = 3 * pi * (uniform(w[0]) - 0.5);
  return {std::sin(t), (t > 0 ? 1 : t < 0 ? -1 : 0) * (std::cos(t) - 1)};
}

STIPPLE_INLINE Point checkerboard(const PhiloxWords& w) {
  double const x = 4 * pi * uniform(w[0]) - 2 * pi;
  // Two of the four squares of a column, by its parity.
  int const column = static_cast<int>(std::floor(x / pi)) & 1, row = static_cast<int>(w[1] >> 31);
  return {x, pi * (2 * row - 2 + (1 - column) + uniform(w[2]))};
}

STIPPLE_INLINE Point circle(Index i, Index n) {
  Index const outer = n / 2;
  bool const inner = i >= outer;
  double const angle =
      2 * pi * static_cast<double>(inner ? i - outer : i) / static_cast<double>(inner ? n - outer : outer);
  double const radius = inner ? 2 : 4;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

STIPPLE_INLINE Point moon(Index i, Index n) {
  Index const outer = n / 2;
  bool const inner = i >= outer;
  Index const count = inner ? n - outer : outer;
  double const angle =
      pi * static_cast<double>(inner ? i - outer : i) / static_cast<double>(std::max<Index>(1, count - 1));
  if (inner) return {1 - std::cos(angle), 1 - std::sin(angle) - 0.5};
  return {std::cos(angle), std::sin(angle)};
}

// A random order of the points (Fisher and Yates).
inline void shuffle_points(Tensor<float>& points, const DrawKey& key) {
  float* const values = points.data();
  for (Index i = points.dim(0) - 1; i > 0; --i) {
    auto const w = key.words(static_cast<std::uint64_t>(i), 0);
    std::uint64_t const word = std::uint64_t{w[0]} << 32 | w[1];
    auto const range = static_cast<std::uint64_t>(i) + 1;
    auto const j = static_cast<Index>(word % range);
    std::swap_ranges(values + 2 * i, values + 2 * i + 2, values + 2 * j);
  }
}

}  // namespace stipple::data::detail

namespace stipple::data {

STIPPLE_INLINE Tensor<float> points(PointSet set, Index n, Rng& rng) {
  require(n >= 2, "points: given ", n, " points, wanted at least 2");
  DrawKey const key(rng.seed(), Purpose::data, rng.next_draw());
  auto const drawn = [&](auto const& point) {
    return detail::collect(n, [&](Index i) { return point(key.words(static_cast<std::uint64_t>(i), 0)); });
  };
  auto const shuffled = [&](auto const& point) {
    auto all = detail::collect(n, [&](Index i) { return point(i, n); });
    detail::shuffle_points(all, key);
    return all;
  };
  auto const scaled = [](Tensor<float> all) {
    standardize(all);
    return all;
  };
  double const shift = set == PointSet::gaussian_shift ? 1.5 : 0;
  switch (set) {
    case PointSet::gaussian_centered:
    case PointSet::gaussian_shift:
      return drawn([shift](const PhiloxWords& w) {
        auto const z = normals_from_words(w[0], w[1]);
        return detail::Point{z[0] + shift, z[1] + shift};
      });
    case PointSet::circle:
      return shuffled(detail::circle);
    case PointSet::s_curve:
      return scaled(drawn(detail::s_curve));
    case PointSet::moon:
      return scaled(shuffled(detail::moon));
    case PointSet::swiss_roll:
      return scaled(drawn(detail::swiss_roll_with_hole));
    case PointSet::swiss_roll_without_hole:
      return scaled(drawn(detail::swiss_roll_full));
    case PointSet::checkerboard:
      break;
  }
  return scaled(drawn(detail::checkerboard));
}

}  // namespace stipple::data

#endif
