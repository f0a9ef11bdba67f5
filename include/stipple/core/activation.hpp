// The elementwise non-linearities, by name.
#pragma once

#include <array>
#include <string_view>

#include <stipple/core/error.hpp>

namespace stipple {

/// What an operation applies to each element of its result. With s(x) = 1 / (1 + e^-x):
enum class Activation {
  none,       ///< x
  relu,       ///< max(x, 0)
  relu6,      ///< min(max(x, 0), 6) (Howard et al. 2017)
  silu,       ///< x s(x)
  gelu,       ///< x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016)
  gelu_tanh,  ///< its approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
  mish,       ///< x tanh(log(1 + e^x)) (Misra 2019)
  sigmoid,    ///< s(x)
  tanh,       ///< tanh x
};

inline constexpr std::array<std::string_view, 9> activation_names{"none",      "relu", "relu6",   "silu", "gelu",
                                                                  "gelu_tanh", "mish", "sigmoid", "tanh"};

inline std::string to_text(Activation activation) {
  return std::string(activation_names[static_cast<std::size_t>(activation)]);
}

}  // namespace stipple
