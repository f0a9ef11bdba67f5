// Device tags: where a tensor lives is part of its type.
#pragma once

#include <concepts>

namespace stipple {

struct Cpu {
  static constexpr const char* name = "cpu";
};

template <class D>
concept Device = std::same_as<D, Cpu>;

}  // namespace stipple
