// The Chamfer distance between two point sets.
#pragma once

#include <cmath>
#include <limits>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// How the squared distances of a direction are put together.
enum class ChamferForm { sum, mean };

/// For each of the points `a` (N, d), the squared Euclidean distance to the nearest of `b` (M, d).
/// Throws unless both are sets of finite points of the same dimension.
STIPPLE_INLINE Tensor<float> nearest_squared_distances(const Tensor<float>& a, const Tensor<float>& b);

/// sum over a of min over b of |a - b|^2, plus the same from b to a; with `mean`, each direction divided by its number
/// of points. a (N, d), b (M, d); distances in float, sums in double.
/// Throws unless both are non-empty sets of finite points of the same dimension.
STIPPLE_INLINE double chamfer_distance(const Tensor<float>& a, const Tensor<float>& b,
                                       ChamferForm form = ChamferForm::sum);

}  // namespace stipple

#if STIPPLE_DEFINES(metrics)

#include <stipple/backend/cpu/nearest.hpp>

namespace stipple::detail {

inline void check_points(const char* name, const Tensor<float>& points) {
  require(points.defined() && points.rank() == 2 && points.size() > 0, "chamfer_distance: given ", name, " of shape ",
          points.shape(), ", wanted points (N, d) and at least one");
  auto const values = points.span();
  for (std::size_t i = 0; i < values.size(); ++i)
    require(std::isfinite(values[i]), "chamfer_distance: coordinate ", i % static_cast<std::size_t>(points.dim(1)),
            " of point ", i / static_cast<std::size_t>(points.dim(1)), " of ", name, " is not a finite number");
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_INLINE Tensor<float> nearest_squared_distances(const Tensor<float>& a, const Tensor<float>& b) {
  detail::check_points("a", a);
  detail::check_points("b", b);
  Index const d = a.dim(1), m = b.dim(0);
  require(b.dim(1) == d, "chamfer_distance: given points of ", d, " and of ", b.dim(1), " coordinates");
  Index const padded = (m + cpu::nearest_padding - 1) / cpu::nearest_padding * cpu::nearest_padding;
  Tensor<float> columns({d, padded}, std::numeric_limits<float>::infinity());
  for (Index j = 0; j < m; ++j)
    for (Index k = 0; k < d; ++k) columns.data()[k * padded + j] = b.data()[j * d + k];
  Tensor<float> best({a.dim(0)});
  cpu::nearest_squared(a.data(), std::as_const(columns).data(), best.data(), a.dim(0), padded, d);
  return best;
}

STIPPLE_INLINE double chamfer_distance(const Tensor<float>& a, const Tensor<float>& b, ChamferForm form) {
  auto const total = [form](const Tensor<float>& distances) {
    double sum = 0;
    for (float const value : distances.span()) sum += static_cast<double>(value);
    return form == ChamferForm::sum ? sum : sum / static_cast<double>(distances.size());
  };
  return total(nearest_squared_distances(a, b)) + total(nearest_squared_distances(b, a));
}

}  // namespace stipple

#endif
