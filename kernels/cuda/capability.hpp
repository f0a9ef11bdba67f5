// Which GPUs stipple::cuda has code for.
#pragma once

#include <charconv>
#include <string_view>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>

// As CMAKE_CUDA_ARCHITECTURES, with commas. Empty where a compiler chose, and in the simulation: nothing is known then.
#ifndef STIPPLE_CUDA_ARCHITECTURES
#define STIPPLE_CUDA_ARCHITECTURES ""
#endif

namespace stipple::cuda {

/// True if one of the architectures ("80-real,90a,100") runs on this compute capability: machine code where the major
/// version is the same and the minor one not older, intermediate code on all that is not older, code for special
/// features on its own capability ("90a") or major version ("100f") alone. What is not a number ("native", "all") is
/// taken to run.
inline bool runs_on(std::string_view architectures, int major, int minor) {
  if (architectures.empty()) return true;
  while (!architectures.empty()) {
    std::string_view const one = architectures.substr(0, architectures.find(','));
    architectures.remove_prefix(one.size() == architectures.size() ? one.size() : one.size() + 1);
    int version = 0;  // 10 major + minor
    auto const [rest, error] = std::from_chars(one.data(), one.data() + one.size(), version);
    if (error != std::errc()) return true;
    std::string_view const kind(rest, static_cast<std::size_t>(one.data() + one.size() - rest));
    int const given = 10 * major + minor;
    bool const special = kind.starts_with("a");
    if (given == version) return true;
    if (special || given < version) continue;
    bool const later = !kind.starts_with("f") && !kind.ends_with("-real");
    if (later || (given / 10 == version / 10 && !kind.ends_with("-virtual"))) return true;
  }
  return false;
}

/// Empty if stipple::cuda has code for such a device; otherwise a sentence.
inline std::string why_unsupported(int number, const DeviceDescription& device,
                                   std::string_view architectures = STIPPLE_CUDA_ARCHITECTURES) {
  std::string const has = "cuda: device " + to_text(number) + ", " + device.name + ", has compute capability " +
                          to_text(device.major) + "." + to_text(device.minor);
  if (device.major < 8) return has + ", wanted 8.0 or later";
  if (runs_on(architectures, device.major, device.minor)) return {};
  return has + ", but this stipple::cuda is compiled for " + std::string(architectures) +
         " (CMAKE_CUDA_ARCHITECTURES) alone";
}

}  // namespace stipple::cuda
