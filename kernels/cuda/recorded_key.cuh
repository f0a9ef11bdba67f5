#pragma once

#include <stipple/core/draw_key.hpp>

#include "device.cuh"

namespace stipple::cuda {

// The key of a draw; in a recording also where its replays find what to add to the number of the draw.
struct RecordedKey {
  DrawKey key;
  const std::uint32_t* added;

  __device__ DrawKey now() const {
    DrawKey shifted = key;
    if (added != nullptr) shifted.draw += *added;
    return shifted;
  }
};

}  // namespace stipple::cuda
