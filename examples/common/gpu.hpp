// --device by its name.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>

namespace example {

namespace st = stipple;

/// The number of the GPU that --device names: cuda, which is the first, or cuda:N. None for cpu. Throws Error for every
/// other name.
inline std::optional<int> gpu_number(std::string_view device) {
  if (device == "cpu") return std::nullopt;
  if (device == "cuda") return 0;
  constexpr std::string_view prefix = "cuda:";
  int number = -1;
  auto const* const end = device.data() + device.size();
  bool const read = device.starts_with(prefix) &&
                    std::from_chars(device.data() + prefix.size(), end, number) == std::from_chars_result{end, {}};
  st::require(read && number >= 0, "--device: given '", device,
              "', wanted cpu, cuda, or cuda:N with the number of a GPU, from 0");
  return number;
}

/// Makes GPU `number` that of this thread. Throws Error if there is none of that number.
inline void select_gpu(int number) {
  auto const missing = st::cuda::why_unavailable();
  if (!missing.empty()) st::fail("--device cuda: ", missing);
  int const count = st::cuda::device_count();
  st::require(number < count, "--device cuda:", number, ": this machine has ", count,
              count == 1 ? " GPU, wanted cuda:0" : " GPUs, wanted cuda:0 to cuda:" + std::to_string(count - 1));
  st::cuda::select_device(number);
}

}  // namespace example
