// A draw of dropout masks.
#pragma once

#include <stipple/core/draw_key.hpp>
#include <stipple/core/shape.hpp>

namespace stipple {

/// An element is dropped if its 16 random bits are below `threshold`, and scaled otherwise.
struct DropoutPlan {
  DrawKey key;
  std::uint32_t threshold = 0;  // 0 to 65536
  float scale = 1;
};

/// Elements share Philox blocks in groups of this many; element 16 p + l of group g has half p % 2 (lower first) of
/// word p / 2 of block 16 g + l.
inline constexpr Index dropout_group = 128;

}  // namespace stipple
