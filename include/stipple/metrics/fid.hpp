// The Frechet distance between two sets of feature vectors as Gaussians: FID (Heusel et al. 2017) with Inception's
// features. Uses Eigen, so that stipple.hpp leaves it out.
#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <limits>
#include <utility>

#include <stipple/core/context.hpp>
#include <stipple/metrics/features.hpp>

namespace stipple {

/// Mean and covariance of feature vectors that come batch by batch, in double: 50,000 images need no feature matrix.
/// The result depends neither on how the vectors were split into batches nor on the number of threads.
class FeatureStatistics {
 public:
  using Matrix = Eigen::MatrixXd;
  using Vector = Eigen::VectorXd;

  /// Adds the rows of `features` (N, D). Throws unless they are finite and have the D of those before.
  void add(const Tensor<float>& features) {
    detail::check_features("FeatureStatistics", features, 1);
    Index const d = features.dim(1);
    if (count_ == 0) start(features.data(), d);
    require(d == dim(), "FeatureStatistics: given features of ", d, " dimensions after features of ", dim());
    for (Index i = 0; i < features.dim(0); ++i) {
      Eigen::Map<const Eigen::VectorXf> const row(features.data() + i * d, d);
      block_.col(filled_++) = row.cast<double>() - shift_;
      ++count_;
      if (filled_ < block_size) continue;
      add_block(sums_, products_);
      filled_ = 0;
    }
  }

  Index count() const { return count_; }
  Index dim() const { return shift_.size(); }
  /// (D)
  Vector mean() const { return shift_ + totals().first / static_cast<double>(count_); }
  /// (D, D), divided by count - 1. Throws unless two vectors were added.
  Matrix covariance() const {
    require(count_ >= 2, "FeatureStatistics: given ", count_, " vectors, wanted at least 2 for a covariance");
    auto [sums, products] = totals();
    double const n = static_cast<double>(count_);
    Matrix full = products.selfadjointView<Eigen::Lower>();
    full -= sums * sums.transpose() / n;
    return full / (n - 1);
  }

 private:
  static constexpr Index block_size = 256;  ///< vectors that are summed at once
  static constexpr Index panel = 128;       ///< columns of the covariance that one thread sums

  // The first vector is taken off all: without that, large means would cost the covariance its digits.
  void start(const float* first, Index d) {
    shift_ = Eigen::Map<const Eigen::VectorXf>(first, d).cast<double>();
    block_.resize(d, block_size);
    sums_ = Vector::Zero(d);
    products_ = Matrix::Zero(d, d);
  }
  // Adds what the block holds to sums (D) and to the lower triangle of products (D, D).
  void add_block(Vector& sums, Matrix& products) const {
    auto const x = block_.leftCols(filled_);
    sums += x.rowwise().sum();
    Index const d = dim();
    parallel_for((d + panel - 1) / panel, 1, [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) {
        Index const at = p * panel, columns = std::min(panel, d - at);
        products.block(at, at, d - at, columns).noalias() +=
            x.bottomRows(d - at) * x.middleRows(at, columns).transpose();
      }
    });
  }
  // Of all vectors, also those of the block that is not full yet.
  std::pair<Vector, Matrix> totals() const {
    require(count_ >= 1, "FeatureStatistics: given no vectors");
    std::pair<Vector, Matrix> result(sums_, products_);
    if (filled_ > 0) add_block(result.first, result.second);
    return result;
  }

  Index count_ = 0, filled_ = 0;
  Vector shift_, sums_;
  Matrix block_;  // (D, block_size), less the shift
  Matrix products_;
};

namespace detail {

/// L (n, rank) with C = L L^T for a covariance C, by Cholesky's method with the largest remaining variance as pivot. It
/// ends where that is rounding error, so that covariances of lower rank, as those of fewer vectors than dimensions, do
/// no harm.
inline Eigen::MatrixXd covariance_factor(const Eigen::MatrixXd& covariance) {
  Index const n = covariance.rows();
  Eigen::VectorXd left = covariance.diagonal();  // variances that the columns so far don't explain
  double const least = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * left.maxCoeff();
  Eigen::MatrixXd factor(n, n);
  for (Index k = 0; k < n; ++k) {
    Index pivot = 0;
    double const variance = left.maxCoeff(&pivot);
    if (!(variance > least)) return factor.leftCols(k);
    auto column = factor.col(k);
    column = covariance.col(pivot);
    column.noalias() -= factor.leftCols(k) * factor.row(pivot).head(k).transpose();
    column.array() = (left.array() < 0).select(0.0, column.array() / std::sqrt(variance));
    left -= column.cwiseAbs2();
    left(pivot) = -1;  // used; rows of earlier pivots stay below zero
  }
  return factor;
}

}  // namespace detail

/// |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)). With C1 = L L^T the last trace is the sum of the square roots
/// of the eigenvalues of L^T C2 L; those that rounding leaves below zero count as zero.
inline double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  require(a.dim() == b.dim(), "frechet_distance: given features of ", a.dim(), " and of ", b.dim(),
          " dimensions, wanted the same");
  FeatureStatistics::Matrix const first = a.covariance(), second = b.covariance();
  double const distance = (a.mean() - b.mean()).squaredNorm() + first.trace() + second.trace();
  FeatureStatistics::Matrix const factor = detail::covariance_factor(first);
  if (factor.cols() == 0) return distance;  // all vectors of a are the same
  FeatureStatistics::Matrix const product = factor.transpose() * (second * factor);
  Eigen::SelfAdjointEigenSolver<FeatureStatistics::Matrix> const solver(product, Eigen::EigenvaluesOnly);
  require(solver.info() == Eigen::Success, "frechet_distance: the eigenvalues of the covariances did not converge");
  return distance - 2 * solver.eigenvalues().cwiseMax(0.0).cwiseSqrt().sum();
}

/// The same of two matrices of features, (N, D) and (M, D), of at least two vectors each.
inline double frechet_distance(const Tensor<float>& a, const Tensor<float>& b) {
  detail::check_features("frechet_distance", a, b, 2);
  FeatureStatistics first, second;
  first.add(a);
  second.add(b);
  return frechet_distance(first, second);
}

}  // namespace stipple
