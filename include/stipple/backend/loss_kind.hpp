// The elementwise losses, by name.
#pragma once

namespace stipple {

/// f(d) of the difference d = prediction - target, with a parameter p.
enum class LossKind {
  mse,        ///< d^2
  l1,         ///< |d|
  huber,      ///< d^2 / 2 up to |d| = p, p (|d| - p / 2) beyond
  smooth_l1,  ///< d^2 / 2p up to |d| = p, |d| - p / 2 beyond; |d| for p = 0
};

}  // namespace stipple
