// Average and maximum pooling over square windows, as torch.nn.functional.avg_pool2d and max_pool2d do it.
#pragma once

#include <algorithm>

#include <stipple/backend/pool_plan.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

struct PoolSpec {
  Index kernel = 2;  ///< extent of a window, in pixels
  Index stride = 2;  ///< from one window to the next
  /// Pixels added at each edge, at most half a window; zeros to the average, nothing to the maximum.
  Index padding = 0;
  bool counts_padding = true;  ///< the average divides by all pixels of a window; otherwise by those of the image
};

namespace ops {

/// Mean of every window.
template <Real T, Device D>
Tensor<T, D> avg_pool(const Tensor<T, D>& x, PoolSpec spec = {});
/// Gradient of an input of shape `x`.
template <Real T, Device D>
Tensor<T, D> avg_pool_backward(const Tensor<T, D>& dy, const Shape& x, PoolSpec spec = {});

/// Largest element of every window; NaN where it holds one.
template <Real T, Device D>
Tensor<T, D> max_pool(const Tensor<T, D>& x, PoolSpec spec = {});
/// Gradient of the input from input, result and the result's gradient; the first of equal pixels receives it.
template <Real T, Device D>
Tensor<T, D> max_pool_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x, const Tensor<T, D>& y,
                               PoolSpec spec = {});

/// Mean over all pixels: (N, H, W, C) to (N, C).
template <Real T, Device D>
Tensor<T, D> global_avg_pool(const Tensor<T, D>& x);
/// Gradient of an input of shape `x` from dy (N, C).
template <Real T, Device D>
Tensor<T, D> global_avg_pool_backward(const Tensor<T, D>& dy, const Shape& x);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/pool.hpp>
#include <stipple/backend/cpu/resize.hpp>

namespace stipple::ops::detail {

inline PoolPlan pool_plan(const char* name, const Shape& x, PoolSpec spec) {
  require(x.rank() == 4 && x[1] >= 1 && x[2] >= 1, name, ": given shape ", x, ", wanted (N, H, W, C) with pixels");
  require(spec.kernel >= 1 && spec.stride >= 1 && spec.padding >= 0 && spec.padding <= spec.kernel / 2, name,
          ": given kernel ", spec.kernel, ", stride ", spec.stride, " and padding ", spec.padding,
          ", wanted kernel and stride of at least 1 and a padding of at most half the kernel");
  require(std::min(x[1], x[2]) >= spec.kernel - 2 * spec.padding, name, ": given ", x[1], " x ", x[2],
          " pixels, wanted at least one window of ", spec.kernel, " with padding ", spec.padding);
  return {x[0],
          x[1],
          x[2],
          x[3],
          spec.kernel,
          spec.stride,
          spec.padding,
          (x[1] + 2 * spec.padding - spec.kernel) / spec.stride + 1,
          (x[2] + 2 * spec.padding - spec.kernel) / spec.stride + 1};
}

/// Windows along one axis, every pixel with the same weight.
inline cpu::Taps average_taps(Index in, Index out, PoolSpec spec) {
  cpu::Taps taps;
  for (Index o = 0; o < out; ++o) {
    Index const first = o * spec.stride - spec.padding;
    Index const begin = std::max<Index>(0, first), end = std::min(in, first + spec.kernel);
    double const weight = 1.0 / static_cast<double>(spec.counts_padding ? spec.kernel : end - begin);
    for (Index i = begin; i < end; ++i) taps.add(i, weight);
    taps.end_output();
  }
  return taps;
}

/// All pixels along one axis, with equal weights.
inline cpu::Taps global_taps(Index in) {
  cpu::Taps taps;
  for (Index i = 0; i < in; ++i) taps.add(i, 1.0 / static_cast<double>(in));
  taps.end_output();
  return taps;
}

template <Real T, Device D>
void check_pool_gradient(const char* name, const Tensor<T, D>& dy, const PoolPlan& p) {
  Shape const wanted{p.n, p.out_height, p.out_width, p.channels};
  require(dy.shape() == wanted, name, ": given a gradient of shape ", dy.shape(), ", wanted ", wanted);
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> avg_pool(const Tensor<T, D>& x, PoolSpec spec) {
  auto const p = detail::pool_plan("avg_pool", x.shape(), spec);
  Tensor<T, D> y({p.n, p.out_height, p.out_width, p.channels});
  if constexpr (std::same_as<D, Cpu>)
    cpu::resample(x.data(), y.data(), p.n, p.height, p.width, p.channels,
                  detail::average_taps(p.height, p.out_height, spec), detail::average_taps(p.width, p.out_width, spec));
  else
    avg_pool(x.data(), y.data(), p, spec.counts_padding);
  return y;
}

template <Real T, Device D>
Tensor<T, D> avg_pool_backward(const Tensor<T, D>& dy, const Shape& x, PoolSpec spec) {
  auto const p = detail::pool_plan("avg_pool_backward", x, spec);
  detail::check_pool_gradient("avg_pool_backward", dy, p);
  Tensor<T, D> dx(x);
  if constexpr (std::same_as<D, Cpu>)
    cpu::resample(dy.data(), dx.data(), p.n, p.out_height, p.out_width, p.channels,
                  cpu::transpose(detail::average_taps(p.height, p.out_height, spec), p.height),
                  cpu::transpose(detail::average_taps(p.width, p.out_width, spec), p.width));
  else
    avg_pool_backward(dy.data(), dx.data(), p, spec.counts_padding);
  return dx;
}

template <Real T, Device D>
Tensor<T, D> max_pool(const Tensor<T, D>& x, PoolSpec spec) {
  auto const p = detail::pool_plan("max_pool", x.shape(), spec);
  Tensor<T, D> y({p.n, p.out_height, p.out_width, p.channels});
  using cpu::max_pool;
  max_pool(x.data(), y.data(), p);
  return y;
}

template <Real T, Device D>
Tensor<T, D> max_pool_backward(const Tensor<T, D>& dy, const Tensor<T, D>& x, const Tensor<T, D>& y, PoolSpec spec) {
  auto const p = detail::pool_plan("max_pool_backward", x.shape(), spec);
  detail::check_pool_gradient("max_pool_backward", dy, p);
  detail::check_pool_gradient("max_pool_backward", y, p);
  Tensor<T, D> dx(x.shape());
  using cpu::max_pool_backward;
  max_pool_backward(dy.data(), x.data(), y.data(), dx.data(), p);
  return dx;
}

template <Real T, Device D>
Tensor<T, D> global_avg_pool(const Tensor<T, D>& x) {
  require(x.rank() == 4 && x.dim(1) >= 1 && x.dim(2) >= 1, "global_avg_pool: given shape ", x.shape(),
          ", wanted (N, H, W, C) with pixels");
  Tensor<T, D> y({x.dim(0), x.dim(3)});
  if constexpr (std::same_as<D, Cpu>)
    cpu::resample(x.data(), y.data(), x.dim(0), x.dim(1), x.dim(2), x.dim(3), detail::global_taps(x.dim(1)),
                  detail::global_taps(x.dim(2)));
  else
    global_avg_pool(x.data(), y.data(), x.dim(0), x.dim(1) * x.dim(2), x.dim(3));
  return y;
}

template <Real T, Device D>
Tensor<T, D> global_avg_pool_backward(const Tensor<T, D>& dy, const Shape& x) {
  require(x.rank() == 4 && dy.shape() == Shape{x[0], x[3]}, "global_avg_pool_backward: given shapes ", dy.shape(),
          " and ", x, ", wanted (N, C) and (N, H, W, C)");
  Tensor<T, D> dx(x);
  if constexpr (std::same_as<D, Cpu>)
    cpu::resample(dy.data(), dx.data(), x[0], 1, 1, x[3], cpu::transpose(detail::global_taps(x[1]), x[1]),
                  cpu::transpose(detail::global_taps(x[2]), x[2]));
  else
    global_avg_pool_backward(dy.data(), dx.data(), x[0], x[1] * x[2], x[3]);
  return dx;
}

#define STIPPLE_INSTANCES(T, D)                                                                                \
  template Tensor<T, D> avg_pool<T, D>(const Tensor<T, D>&, PoolSpec);                                         \
  template Tensor<T, D> avg_pool_backward<T, D>(const Tensor<T, D>&, const Shape&, PoolSpec);                  \
  template Tensor<T, D> max_pool<T, D>(const Tensor<T, D>&, PoolSpec);                                         \
  template Tensor<T, D> max_pool_backward<T, D>(const Tensor<T, D>&, const Tensor<T, D>&, const Tensor<T, D>&, \
                                                PoolSpec);                                                     \
  template Tensor<T, D> global_avg_pool<T, D>(const Tensor<T, D>&);                                            \
  template Tensor<T, D> global_avg_pool_backward<T, D>(const Tensor<T, D>&, const Shape&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
