// Precision and recall of generated samples by nearest-neighbour manifolds (Kynkaanniemi et al. 2019).
#pragma once

#include <algorithm>
#include <vector>

#include <stipple/metrics/features.hpp>
#include <stipple/ops/matmul.hpp>

namespace stipple {

struct PrecisionRecall {
  double precision = 0;  ///< share of the generated vectors that lie in the manifold of the real ones
  double recall = 0;     ///< share of the real vectors that lie in the manifold of the generated ones
};

namespace detail {

/// Squared distances of vectors to those of a fixed set, block by block: |x|^2 + |y|^2 - 2 x.y with products in float,
/// of vectors less the mean of the set, and sums in double.
class SquaredDistances {
 public:
  static constexpr Index block = 256;  ///< vectors at once

  explicit SquaredDistances(const Tensor<float>& to) : mean_(static_cast<std::size_t>(to.dim(1))) {
    Index const n = to.dim(0), d = to.dim(1);
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < d; ++j)
        mean_[static_cast<std::size_t>(j)] += static_cast<double>(to.data()[i * d + j]) / static_cast<double>(n);
    to_ = centred(to);
    to_norms_ = norms(to_);
  }
  /// Calls row(i, distances to all of the set) for each vector of `from`, in order.
  template <class Row>
  void for_each_row(const Tensor<float>& from, const Row& row) const {
    Index const m = to_.dim(0);
    std::vector<double> distances(static_cast<std::size_t>(m));
    for (Index begin = 0; begin < from.dim(0); begin += block) {
      auto const x = centred(from.slice(begin, std::min(begin + block, from.dim(0))));
      auto const products = ops::matmul(x, to_, {.transpose_b = true});
      auto const x_norms = norms(x);
      for (Index i = 0; i < x.dim(0); ++i) {
        for (Index j = 0; j < m; ++j) {
          auto const at = static_cast<std::size_t>(j);
          double const product = static_cast<double>(products.data()[i * m + j]);
          distances[at] = std::max(0.0, x_norms[static_cast<std::size_t>(i)] + to_norms_[at] - 2 * product);
        }
        row(begin + i, distances);
      }
    }
  }

 private:
  Tensor<float> centred(const Tensor<float>& x) const {
    Tensor<float> y(x.shape());
    auto const d = mean_.size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(x.size()); ++i)
      y.data()[i] = static_cast<float>(static_cast<double>(x.data()[i]) - mean_[i % d]);
    return y;
  }
  static std::vector<double> norms(const Tensor<float>& x) {
    std::vector<double> squares;
    Index const d = x.dim(1);
    for (Index i = 0; i < x.dim(0); ++i) {
      double sum = 0;
      for (Index j = 0; j < d; ++j) {
        double const value = static_cast<double>(x.data()[i * d + j]);
        sum += value * value;
      }
      squares.push_back(sum);
    }
    return squares;
  }

  std::vector<double> mean_;
  Tensor<float> to_;
  std::vector<double> to_norms_;
};

/// Share of `x` that lies, for at least one vector of `set`, as near as its k-th neighbour in the set.
inline double share_in_manifold(const Tensor<float>& x, const Tensor<float>& set, Index k) {
  SquaredDistances const to_set(set);
  std::vector<double> radii;
  to_set.for_each_row(set, [&](Index i, std::vector<double> distances) {
    distances.erase(distances.begin() + i);  // itself
    std::nth_element(distances.begin(), distances.begin() + k - 1, distances.end());
    radii.push_back(distances[static_cast<std::size_t>(k - 1)]);
  });
  Index inside = 0;
  to_set.for_each_row(x, [&](Index, const std::vector<double>& distances) {
    bool found = false;
    for (std::size_t j = 0; j < radii.size() && !found; ++j) found = distances[j] <= radii[j];
    inside += found ? 1 : 0;
  });
  return static_cast<double>(inside) / static_cast<double>(x.dim(0));
}

}  // namespace detail

/// Precision and recall of `generated` features (M, D) against `real` ones (N, D). The manifold of a set is the union
/// of balls around its vectors that reach to their k-th neighbours (eq. 1 and 2). Throws unless both sets are finite
/// and have more than k vectors of the same dimension.
inline PrecisionRecall precision_recall(const Tensor<float>& real, const Tensor<float>& generated, Index k = 3) {
  require(k >= 1, "precision_recall: given ", k, " neighbours, wanted at least 1");
  detail::check_features("precision_recall", real, generated, k + 1);
  return {detail::share_in_manifold(generated, real, k), detail::share_in_manifold(real, generated, k)};
}

}  // namespace stipple
