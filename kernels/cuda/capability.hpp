#pragma once

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>

namespace stipple::cuda {

/// Empty if stipple::cuda is compiled for such a device; otherwise a sentence.
inline std::string why_unsupported(int number, const DeviceDescription& device) {
  if (device.major >= 8) return {};
  return "cuda: device " + to_text(number) + ", " + device.name + ", has compute capability " + to_text(device.major) +
         "." + to_text(device.minor) + ", wanted 8.0 or later";
}

}  // namespace stipple::cuda
