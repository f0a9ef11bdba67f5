// Gradients of resizing.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/resize.hpp>

namespace stipple {

/// (N, H, W, C) to (N, size.height, size.width, C), as torch.nn.functional.interpolate. On the CPU, backward enlarges
/// images again instead of keeping them.
template <Real T, Device D>
Var<T, D> resize(const Var<T, D>& x, Size2d size, ResizeSpec spec = {});

/// (N, H, W, C) to (N, factor H, factor W, C): every pixel repeated.
template <Real T, Device D>
Var<T, D> upsample(const Var<T, D>& x, Index factor);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> resize(const Var<T, D>& x, Size2d size, ResizeSpec spec) {
  auto const value = ops::resize(x.value(), size, spec);  // checks x, before its extents are asked for
  auto y = record(value, std::tie(x), [from = Size2d{x.dim(1), x.dim(2)}, spec](const Tensor<T, D>& dy) {
    return std::tuple(ops::resize_backward(dy, from, spec));
  });
  if (value.size() <= x.value().size()) return y;
  return autograd::made_again_by(
      std::move(y), [kept = autograd::Kept(x), size, spec] { return ops::resize(kept.value(), size, spec); });
}

template <Real T, Device D>
Var<T, D> upsample(const Var<T, D>& x, Index factor) {
  require(x.shape().rank() == 4 && factor >= 1 && factor <= 65536, "upsample: given shape ", x.shape(), " and factor ",
          factor, ", wanted (N, H, W, C) and 1 to 65536");
  return resize(x, {factor * x.dim(1), factor * x.dim(2)});
}

#define STIPPLE_INSTANCES(T, D)                                          \
  template Var<T, D> resize<T, D>(const Var<T, D>&, Size2d, ResizeSpec); \
  template Var<T, D> upsample<T, D>(const Var<T, D>&, Index);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
