// Dropout as a layer.
#pragma once

#include <stipple/autograd/dropout.hpp>

namespace stipple {

/// Zeroes elements with probability p while a Training lives, and does nothing otherwise.
struct Dropout {
  double p = 0.5;

  template <Real T, Device D>
  Var<T, D> operator()(const Var<T, D>& x) const {
    return dropout(x, p);
  }
  static void each(auto&, auto&&) {}
};

}  // namespace stipple
