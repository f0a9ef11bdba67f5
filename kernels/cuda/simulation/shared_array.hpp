// Shared memory of a block in the simulation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "executor.hpp"

namespace stipple::cuda::simulation {

/// Memory of a block, with a border on both sides that nothing may write to.
class SharedArray {
 public:
  SharedArray(const void* site, std::size_t bytes) : site_(site), bytes_(bytes), memory_(bytes + 2 * border) {
    std::fill(memory_.begin(), memory_.end(), border_value);
    std::memset(data(), options().poison, bytes);
  }
  const void* site() const { return site_; }
  void* data() { return memory_.data() + border; }
  bool intact() const {
    auto const is_border = [](unsigned char value) { return value == border_value; };
    return std::all_of(memory_.begin(), memory_.begin() + border, is_border) &&
           std::all_of(memory_.end() - border, memory_.end(), is_border);
  }
  bool holds(const void* address) const {
    auto const* const at = static_cast<const unsigned char*>(address);
    return at >= memory_.data() + border && at < memory_.data() + border + bytes_;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::ptrdiff_t border = 128;
  static constexpr unsigned char border_value = 0xA5;
  const void* site_;
  std::size_t bytes_;
  std::vector<unsigned char> memory_;
};

}  // namespace stipple::cuda::simulation
