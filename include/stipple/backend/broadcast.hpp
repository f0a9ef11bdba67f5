// Elementwise operations of two operands, and how the right one repeats over the left.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple {

enum class Arithmetic { add, subtract, multiply };

/// The right operand has outer x inner elements and repeats along the middle of outer x middle x inner.
struct Broadcast {
  Index outer = 1, middle = 1, inner = 1;
};

}  // namespace stipple
