// Gradient of padding and cropping: the opposite crop or pad, with zeros.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/pad.hpp>

namespace stipple {

/// (N, H, W, C) to (N, top + H + bottom, left + W + right, C); new pixels hold `value`, negative edges crop.
template <Real T, Device D>
Var<T, D> pad(const Var<T, D>& x, PadSpec spec, double value = 0);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> pad(const Var<T, D>& x, PadSpec spec, double value) {
  return record(ops::pad(x.value(), spec, value), std::tie(x), [spec](const Tensor<T, D>& dy) {
    return std::tuple(ops::pad(dy, {-spec.top, -spec.bottom, -spec.left, -spec.right}));
  });
}

#define STIPPLE_INSTANCES(T, D) template Var<T, D> pad<T, D>(const Var<T, D>&, PadSpec, double);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
