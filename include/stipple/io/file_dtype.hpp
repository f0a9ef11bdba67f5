// Element types of safetensors files, and conversion that loses nothing.
#pragma once

#include <cstddef>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/core/dtype.hpp>
#include <stipple/core/shape.hpp>

namespace stipple {

/// Element types of a file. Files list them in falling order, which keeps every tensor aligned.
enum class FileDtype { boolean, u8, i8, i16, f16, bf16, i32, f32, f64, i64 };

STIPPLE_IO_INLINE std::string to_text(FileDtype dtype);
STIPPLE_IO_INLINE std::size_t size_of(FileDtype dtype);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io)

#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace stipple::detail {

struct FileDtypeEntry {
  std::string_view name;
  std::size_t bytes;
};
inline constexpr std::array<FileDtypeEntry, 10> file_dtypes{{{"BOOL", 1},
                                                             {"U8", 1},
                                                             {"I8", 1},
                                                             {"I16", 2},
                                                             {"F16", 2},
                                                             {"BF16", 2},
                                                             {"I32", 4},
                                                             {"F32", 4},
                                                             {"F64", 8},
                                                             {"I64", 8}}};

/// IEEE binary16, which only exists in files.
struct half {
  std::uint16_t bits = 0;
  explicit operator float() const {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    std::uint32_t const exponent = bits >> 10 & 0x1fu, fraction = bits & 0x3ffu;
    if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
      float const magnitude = static_cast<float>(fraction) * 0x1p-24f;
      return sign != 0 ? -magnitude : magnitude;
    }
    std::uint32_t const wide = exponent == 31 ? 255 : exponent + 127 - 15;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
  }
};

template <class T>
concept FloatingElement = Real<T> || std::same_as<T, half>;

/// `value` as a T if T holds it exactly (all NaN count as one). Floating-point and integer types do not mix.
template <class T, class F>
bool convert_exactly(F value, T& result) {
  if constexpr (std::same_as<T, F>) {
    result = value;
    return true;
  } else if constexpr (FloatingElement<T>) {
    using Wide = std::conditional_t<std::same_as<F, double>, double, float>;
    auto const wide = static_cast<Wide>(value);
    result = static_cast<T>(wide);
    return static_cast<Wide>(result) == wide || wide != wide;
  } else {
    result = static_cast<T>(value);
    return std::in_range<T>(value);
  }
}

/// Fills `result` from stored elements of type F, not necessarily aligned. Returns how many came before the first that
/// T cannot hold exactly, or -1 for an integer type against a floating-point one.
template <class F, Element T>
Index copy_exactly(const std::byte* bytes, std::span<T> result) {
  if constexpr (std::same_as<T, F>) {
    if (!result.empty()) std::memcpy(static_cast<void*>(result.data()), bytes, result.size_bytes());
  } else if constexpr (FloatingElement<T> == FloatingElement<F>) {
    for (std::size_t i = 0; i < result.size(); ++i) {
      F value;
      std::memcpy(static_cast<void*>(&value), bytes + i * sizeof(F), sizeof(F));
      if (!convert_exactly(value, result[i])) return static_cast<Index>(i);
    }
  } else {
    return -1;
  }
  return static_cast<Index>(result.size());
}

/// Calls f(F{}) with the type that holds elements of `dtype`.
template <class Function>
void with_element_type(FileDtype dtype, const Function& f) {
  switch (dtype) {
    case FileDtype::boolean:
    case FileDtype::u8:
      return f(std::uint8_t{});
    case FileDtype::i8:
      return f(std::int8_t{});
    case FileDtype::i16:
      return f(std::int16_t{});
    case FileDtype::f16:
      return f(half{});
    case FileDtype::bf16:
      return f(bf16{});
    case FileDtype::i32:
      return f(std::int32_t{});
    case FileDtype::f32:
      return f(float{});
    case FileDtype::f64:
      return f(double{});
    case FileDtype::i64:
      return f(std::int64_t{});
  }
}

template <Element T>
constexpr FileDtype file_dtype() {
  if constexpr (std::same_as<T, float>) return FileDtype::f32;
  if constexpr (std::same_as<T, double>) return FileDtype::f64;
  if constexpr (std::same_as<T, bf16>) return FileDtype::bf16;
  if constexpr (std::same_as<T, std::int32_t>) return FileDtype::i32;
  if constexpr (std::same_as<T, std::int64_t>) return FileDtype::i64;
  return FileDtype::u8;
}

}  // namespace stipple::detail

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_IO_INLINE std::string to_text(FileDtype dtype) {
  return std::string(detail::file_dtypes[static_cast<std::size_t>(dtype)].name);
}

STIPPLE_IO_INLINE std::size_t size_of(FileDtype dtype) {
  return detail::file_dtypes[static_cast<std::size_t>(dtype)].bytes;
}
#endif

}  // namespace stipple

#endif
