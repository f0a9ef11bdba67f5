// The kernel distance between two sets of feature vectors: KID (Binkowski et al. 2018) with Inception's features.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <stipple/metrics/features.hpp>
#include <stipple/ops/matmul.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

namespace detail {

/// Sum over all pairs of k(x, y) = (x.y / D + 1)^3, without the diagonal where `skip_diagonal`.
inline double kernel_sum(const Tensor<float>& x, const Tensor<float>& y, bool skip_diagonal) {
  constexpr Index most = 1024;  // rows at a time: all products of large sets would fill the memory
  Index const columns = y.dim(0);
  double const scale = 1.0 / static_cast<double>(x.dim(1));
  double total = 0;
  for (Index begin = 0; begin < x.dim(0); begin += most) {
    Index const end = std::min(begin + most, x.dim(0));
    auto const products = ops::matmul(x.slice(begin, end), y, {.transpose_b = true});
    for (Index i = begin; i < end; ++i) {
      double row = 0;
      for (Index j = 0; j < columns; ++j) {
        if (skip_diagonal && i == j) continue;
        double const k = static_cast<double>(products.data()[(i - begin) * columns + j]) * scale + 1;
        row += k * k * k;
      }
      total += row;
    }
  }
  return total;
}

/// `count` different rows of `x`, in the order of random numbers that belong to the rows.
inline Tensor<float> random_rows(const Tensor<float>& x, Index count, Rng& rng) {
  auto const keys = rng.uniform({x.dim(0)}, 0, 1, Purpose::data);
  std::vector<Index> order(static_cast<std::size_t>(x.dim(0)));
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) { return keys.data()[i] < keys.data()[j]; });
  Tensor<float> rows({count, x.dim(1)});
  for (Index i = 0; i < count; ++i) {
    Index const from = order[static_cast<std::size_t>(i)];
    rows.slice(i, i + 1).copy_from(x.slice(from, from + 1));
  }
  return rows;
}

}  // namespace detail

/// The unbiased estimate of the squared maximum mean discrepancy under the kernel (x.y / D + 1)^3, of features (N, D)
/// and (M, D): zero on average where both come from one distribution, so it may be negative. Products in float, sums
/// in double. Throws unless both are at least two finite vectors of the same dimension.
inline double kernel_distance(const Tensor<float>& a, const Tensor<float>& b) {
  detail::check_features("kernel_distance", a, b, 2);
  double const n = static_cast<double>(a.dim(0)), m = static_cast<double>(b.dim(0));
  return detail::kernel_sum(a, a, true) / (n * (n - 1)) + detail::kernel_sum(b, b, true) / (m * (m - 1)) -
         2 * detail::kernel_sum(a, b, false) / (n * m);
}

struct KernelDistanceOptions {
  Index subsets = 100;
  Index subset_size = 1000;  ///< vectors of each side
};

/// Of the distances of the subsets; the deviation divides by their number.
struct KernelDistance {
  double mean = 0, standard_deviation = 0;
};

/// The kernel distance as it is reported: over random subsets of both sides, drawn without replacement.
inline KernelDistance kernel_distance(const Tensor<float>& a, const Tensor<float>& b,
                                      const KernelDistanceOptions& options, Rng& rng) {
  detail::check_features("kernel_distance", a, b, 2);
  Index const most = std::min(a.dim(0), b.dim(0));
  require(options.subsets >= 1 && options.subset_size >= 2 && options.subset_size <= most, "kernel_distance: given ",
          options.subsets, " subsets of ", options.subset_size, ", wanted at least 1 of 2 to ", most, " vectors");
  std::vector<double> distances;
  for (Index i = 0; i < options.subsets; ++i) {
    auto const x = detail::random_rows(a, options.subset_size, rng);
    distances.push_back(kernel_distance(x, detail::random_rows(b, options.subset_size, rng)));
  }
  KernelDistance result;
  for (double const d : distances) result.mean += d / static_cast<double>(distances.size());
  for (double const d : distances) result.standard_deviation += (d - result.mean) * (d - result.mean);
  result.standard_deviation = std::sqrt(result.standard_deviation / static_cast<double>(distances.size()));
  return result;
}

}  // namespace stipple
