// The one exception type of the library, and the helpers that build its sentence.
#pragma once

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace stipple {

/// Every failure the library reports. The text reads "operation: what was given, what was wanted".
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text) : std::runtime_error(text) {}
};

/// Text of a value inside an error message; overloads for the library's own types stand beside those types.
inline std::string to_text(std::string_view text) { return std::string(text); }
inline std::string to_text(const char* text) { return text; }
inline std::string to_text(bool value) { return value ? "true" : "false"; }
std::string to_text(double value);
template <class Integer>
requires std::is_integral_v<Integer> std::string to_text(Integer value) { return std::to_string(value); }

inline std::string to_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return text;
}

/// Throws an Error whose text is the concatenation of `parts`.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::string text;
  ((text += to_text(parts)), ...);
  throw Error(text);
}

/// Throws an Error made of `parts` unless `condition` holds. The parts are only turned into text on failure.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}  // namespace stipple
