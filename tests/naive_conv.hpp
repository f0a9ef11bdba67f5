// Sums of products straight from their definition, in double: what the fast kernels are compared with.
#pragma once

#include <algorithm>
#include <cmath>

#include <stipple/backend/conv_dims.hpp>
#include <stipple/tensor/tensor.hpp>

namespace naive {

/// A result and, for each element, the sum of the magnitudes of its terms, to which rounding errors are in proportion.
struct Exact {
  stipple::Tensor<double> value, magnitude;

  explicit Exact(stipple::Shape shape)
      : value(stipple::Tensor<double>::zeros(shape)), magnitude(stipple::Tensor<double>::zeros(shape)) {}
  void add(stipple::Index at, double term) {
    value.data()[at] += term;
    magnitude.data()[at] += std::abs(term);
  }
};

inline double half_ulp(stipple::bf16) { return 0x1p-8; }
inline double half_ulp(float) { return 0x1p-24; }
inline double half_ulp(double) { return 0x1p-53; }

/// Largest error of `given` in units of what may be expected: the rounding of the result to T, and for the sum eight
/// roundings of its magnitude (partial sums of random terms walk as far as the root of their number, and their
/// roundings add up likewise, so the error is in proportion to the magnitude). A NaN counts as infinite.
template <class T>
double relative_error(const stipple::Tensor<T>& given, const Exact& wanted) {
  if (given.shape() != wanted.value.shape()) return std::numeric_limits<double>::infinity();
  double const sum = 8 * half_ulp(stipple::accumulate_t<T>()), result = half_ulp(T());
  double worst = 0;
  for (stipple::Index i = 0; i < given.size(); ++i) {
    double const error = std::abs(static_cast<double>(given.data()[i]) - wanted.value.data()[i]);
    double const expected = sum * wanted.magnitude.data()[i] + result * std::abs(wanted.value.data()[i]) + 1e-30;
    if (!(error / expected <= worst)) worst = std::isnan(error) ? HUGE_VAL : error / expected;
  }
  return worst;
}

/// Extents of a convolution by the usual formula; the kernel has `kh` x `kw` entries.
inline stipple::ConvDims conv_dims(stipple::Shape x, stipple::Index kh, stipple::Index kw, stipple::Index outputs,
                                   stipple::Index stride, stipple::Index padding, stipple::Index dilation,
                                   stipple::Index groups) {
  auto const extent = [&](stipple::Index in, stipple::Index kernel) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  return {x[0],   x[1],    x[2],     x[3],  kh, kw, outputs, extent(x[1], kh), extent(x[2], kw),
          stride, padding, dilation, groups};
}

/// Calls f(x index, weight index, y index) for every product of a convolution of x (N, H, W, C) with weight (kH, kW,
/// C / groups, O) that gives y (N, oH, oW, O).
template <class F>
void for_each_product(const stipple::ConvDims& d, const F& f) {
  using stipple::Index;
  Index const in = d.c / d.groups, out = d.o / d.groups;
  for (Index n = 0; n < d.n; ++n)
    for (Index i = 0; i < d.oh; ++i)
      for (Index j = 0; j < d.ow; ++j)
        for (Index ky = 0; ky < d.kh; ++ky)
          for (Index kx = 0; kx < d.kw; ++kx) {
            Index const y = i * d.stride + ky * d.dilation - d.padding, x = j * d.stride + kx * d.dilation - d.padding;
            if (y < 0 || y >= d.h || x < 0 || x >= d.w) continue;
            for (Index c = 0; c < d.c; ++c)
              for (Index o = c / in * out; o < (c / in + 1) * out; ++o)
                f(((n * d.h + y) * d.w + x) * d.c + c, ((ky * d.kw + kx) * in + c % in) * d.o + o,
                  ((n * d.oh + i) * d.ow + j) * d.o + o);
          }
}

}  // namespace naive
