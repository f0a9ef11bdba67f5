// Padding of images with a constant, and cropping.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Pixels added at each edge; negative numbers remove pixels.
struct PadSpec {
  Index top = 0, bottom = 0, left = 0, right = 0;
};

namespace ops {

/// (N, H, W, C) to (N, top + H + bottom, left + W + right, C); new pixels hold `value`.
template <Real T, Device D>
Tensor<T, D> pad(const Tensor<T, D>& x, PadSpec spec, double value = 0);

}  // namespace ops
}  // namespace stipple

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/pad.hpp>

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> pad(const Tensor<T, D>& x, PadSpec spec, double value) {
  require(x.rank() == 4, "pad: given shape ", x.shape(), ", wanted (N, H, W, C)");
  constexpr Index limit = Index{1} << 32;
  for (Index edge : {spec.top, spec.bottom, spec.left, spec.right})
    require(edge > -limit && edge < limit, "pad: given ", edge, " pixels at an edge, wanted fewer");
  PadPlan const plan{x.dim(0),
                     x.dim(1),
                     x.dim(2),
                     x.dim(3),
                     spec.top,
                     spec.left,
                     spec.top + x.dim(1) + spec.bottom,
                     spec.left + x.dim(2) + spec.right};
  require(plan.out_height >= 1 && plan.out_width >= 1, "pad: given ", x.dim(1), " x ", x.dim(2), " pixels to make ",
          plan.out_height, " x ", plan.out_width, ", wanted at least 1 x 1");
  Tensor<T, D> y({plan.n, plan.out_height, plan.out_width, plan.channels});
  using cpu::pad;
  pad(x.data(), y.data(), plan, T(value));
  return y;
}

#define STIPPLE_INSTANCES(T, D) template Tensor<T, D> pad<T, D>(const Tensor<T, D>&, PadSpec, double);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
