// Resizing of images by nearest neighbour and bilinear interpolation, as torch.nn.functional.interpolate does it.
#pragma once

#include <algorithm>
#include <cmath>

#include <stipple/backend/resize_plan.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Extent of an image in pixels.
struct Size2d {
  Index height = 0, width = 0;
};

enum class ResizeMode { nearest, bilinear };

struct ResizeSpec {
  ResizeMode mode = ResizeMode::nearest;
  /// Bilinear only: the centres of the corner pixels stay where they are, instead of the outer edges of the image.
  bool align_corners = false;
};

namespace ops {

/// (N, H, W, C) to (N, size.height, size.width, C).
template <Real T, Device D>
Tensor<T, D> resize(const Tensor<T, D>& x, Size2d size, ResizeSpec spec = {});

/// Gradient of the input, of extent `size`, from that of the output.
template <Real T, Device D>
Tensor<T, D> resize_backward(const Tensor<T, D>& dy, Size2d size, ResizeSpec spec = {});

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/resize.hpp>

namespace stipple::ops::detail {

/// Which of `in` pixels along an axis make each of `out`.
template <class T>
cpu::Taps resize_taps(Index in, Index out, ResizeSpec spec) {
  // The scale of nearest neighbour is rounded to the compute type, which decides between neighbours at a tie.
  auto const scale = static_cast<cpu::compute_t<T>>(in) / static_cast<cpu::compute_t<T>>(out);
  double const step = spec.align_corners ? (out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0)
                                         : static_cast<double>(in) / static_cast<double>(out);
  cpu::Taps taps;
  for (Index o = 0; o < out; ++o) {
    if (spec.mode == ResizeMode::nearest) {
      taps.add(std::min(static_cast<Index>(static_cast<cpu::compute_t<T>>(o) * scale), in - 1), 1);
    } else {
      double const position = static_cast<double>(o);
      double const source = spec.align_corners ? step * position : std::max(0.0, step * (position + 0.5) - 0.5);
      Index const first = std::min(static_cast<Index>(source), in - 1);
      double const fraction = std::min(source - static_cast<double>(first), 1.0);
      if (first == in - 1 || fraction == 0) {
        taps.add(first, 1);
      } else {
        taps.add(first, 1 - fraction);
        taps.add(first + 1, fraction);
      }
    }
    taps.end_output();
  }
  return taps;
}

inline ResizePlan resize_plan(const Shape& images, Size2d from, Size2d to, ResizeSpec spec) {
  return {images[0],         from.height, from.width, images[3], to.height, to.width, spec.mode == ResizeMode::bilinear,
          spec.align_corners};
}

inline void check_resize(Size2d from, Size2d to, ResizeSpec spec) {
  require(to.height >= 1 && to.width >= 1 && from.height >= 1 && from.width >= 1, "resize: given ", from.height, " x ",
          from.width, " pixels to make ", to.height, " x ", to.width, ", wanted at least 1 x 1");
  require(spec.mode == ResizeMode::bilinear || !spec.align_corners,
          "resize: given align_corners with nearest, wanted it with bilinear only");
}

}  // namespace stipple::ops::detail

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> resize(const Tensor<T, D>& x, Size2d size, ResizeSpec spec) {
  require(x.rank() == 4, "resize: given shape ", x.shape(), ", wanted (N, H, W, C)");
  detail::check_resize({x.dim(1), x.dim(2)}, size, spec);
  Tensor<T, D> y({x.dim(0), size.height, size.width, x.dim(3)});
  if constexpr (std::same_as<D, Cpu>)
    cpu::resample(x.data(), y.data(), x.dim(0), x.dim(1), x.dim(2), x.dim(3),
                  detail::resize_taps<T>(x.dim(1), size.height, spec),
                  detail::resize_taps<T>(x.dim(2), size.width, spec));
  else
    resize(x.data(), y.data(), detail::resize_plan(y.shape(), {x.dim(1), x.dim(2)}, size, spec));
  return y;
}

template <Real T, Device D>
Tensor<T, D> resize_backward(const Tensor<T, D>& dy, Size2d size, ResizeSpec spec) {
  require(dy.rank() == 4, "resize_backward: given shape ", dy.shape(), ", wanted (N, H, W, C)");
  detail::check_resize(size, {dy.dim(1), dy.dim(2)}, spec);
  Tensor<T, D> dx({dy.dim(0), size.height, size.width, dy.dim(3)});
  if constexpr (std::same_as<D, Cpu>)
    cpu::resample(dy.data(), dx.data(), dy.dim(0), dy.dim(1), dy.dim(2), dy.dim(3),
                  cpu::transpose(detail::resize_taps<T>(size.height, dy.dim(1), spec), size.height),
                  cpu::transpose(detail::resize_taps<T>(size.width, dy.dim(2), spec), size.width));
  else
    resize_backward(dy.data(), dx.data(), detail::resize_plan(dy.shape(), size, {dy.dim(1), dy.dim(2)}, spec));
  return dx;
}

#define STIPPLE_INSTANCES(T, D)                                                \
  template Tensor<T, D> resize<T, D>(const Tensor<T, D>&, Size2d, ResizeSpec); \
  template Tensor<T, D> resize_backward<T, D>(const Tensor<T, D>&, Size2d, ResizeSpec);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
