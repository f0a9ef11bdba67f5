// What group and batch normalisation see of an array.
#pragma once

#include <stipple/core/shape.hpp>

namespace stipple {

/// (samples, pixels, channels) with the channels in `groups` equal groups.
struct NormShape {
  Index samples, pixels, channels, groups;
};

}  // namespace stipple
