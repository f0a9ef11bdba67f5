// Dropout and its gradient, which makes the mask again instead of keeping it. So does, on the CPU, what reads the
// result.
#pragma once

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/dropout.hpp>

namespace stipple {

/// While a Training lives: elements are zero with probability `p`, the others are divided by 1 - p; the mask is the
/// next draw of the training's Rng. Otherwise x itself.
template <Real T, Device D>
Var<T, D> dropout(const Var<T, D>& x, double p);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> dropout(const Var<T, D>& x, double p) {
  require(p >= 0 && p <= 1, "dropout: given probability ", p, ", wanted 0 to 1");
  if (!is_training() || p == 0) return x;
  Rng& rng = *autograd::training_rng();
  DrawKey const key(rng.seed(), Purpose::dropout, rng.next_draw());
  auto y = record(ops::dropout(x.value(), p, key), std::tie(x),
                  [p, key](const Tensor<T, D>& dy) { return std::tuple(ops::dropout(dy, p, key)); });
  return autograd::made_again_by(std::move(y),
                                 [kept = autograd::Kept(x), p, key] { return ops::dropout(kept.value(), p, key); });
}

#define STIPPLE_INSTANCES(T, D) template Var<T, D> dropout<T, D>(const Var<T, D>&, double);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
