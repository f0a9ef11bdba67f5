// A small JSON value with reader and writer (RFC 8259), for headers, configurations, logs and metrics.
//
// The usual libraries cost several seconds of compile time in every program; this costs a fraction of one.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <stipple/core/error.hpp>

namespace stipple {

/// null, boolean, integer, number, string, array or object. Objects keep the order of insertion, and integers that
/// fit 64 bits with sign stay exact; all others become floating-point numbers.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;  ///< null
  Json(std::nullptr_t) {}
  Json(std::same_as<bool> auto value) : value_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) : value_(static_cast<std::int64_t>(value)) {
    require(std::in_range<std::int64_t>(value), "json: given ", value, ", wanted at most 2^63 - 1");
  }
  Json(std::floating_point auto value) : value_(static_cast<double>(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array values) : value_(std::move(values)) {}
  Json(Object fields) : value_(std::move(fields)) {}

  static Json object(Object fields = {}) { return Json(std::move(fields)); }
  static Json array(Array values = {}) { return Json(std::move(values)); }

  /// Throws Error with the byte position if `text` is not exactly one JSON value in UTF-8, repeats a name within an
  /// object, or nests deeper than 100 levels.
  static Json parse(std::string_view text);
  /// `indent` spaces a level, or all on one line for 0. NaN and infinities, which JSON lacks, become null.
  /// Throws Error if a string is not UTF-8.
  std::string dump(int indent = 0) const {
    std::string text;
    dump_to(text, indent, 0);
    return text;
  }

  bool is_null() const { return holds<std::monostate>(); }
  bool is_bool() const { return holds<bool>(); }
  bool is_integer() const { return holds<std::int64_t>(); }
  bool is_number() const { return is_integer() || holds<double>(); }
  bool is_string() const { return holds<std::string>(); }
  bool is_array() const { return holds<Array>(); }
  bool is_object() const { return holds<Object>(); }

  /// These throw Error when the value is of another kind.
  bool as_bool() const { return get<bool>("a boolean"); }
  std::int64_t as_integer() const { return get<std::int64_t>("an integer"); }
  double as_number() const { return is_integer() ? static_cast<double>(as_integer()) : get<double>("a number"); }
  const std::string& as_string() const { return get<std::string>("a string"); }
  const Array& as_array() const { return get<Array>("an array"); }
  const Object& as_object() const { return get<Object>("an object"); }

  /// The field `name` of an object, or null if there is none.
  const Json* find(std::string_view name) const {
    for (auto const& [key, value] : as_object())
      if (key == name) return &value;
    return nullptr;
  }
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Throws Error if there is no such field.
  const Json& at(std::string_view name) const {
    const Json* const field = find(name);
    require(field != nullptr, "json: given an object without '", name, "'");
    return *field;
  }
  /// The field `name`, added if there is none; a null becomes an object first.
  Json& operator[](std::string_view name) {
    if (is_null()) value_ = Object{};
    if (const Json* const field = find(name)) return const_cast<Json&>(*field);
    return std::get<Object>(value_).emplace_back(std::string(name), Json()).second;
  }
  /// Adds an element; a null becomes an array first.
  void push_back(Json value) {
    if (is_null()) value_ = Array{};
    (void)as_array();
    std::get<Array>(value_).push_back(std::move(value));
  }

  friend bool operator==(const Json&, const Json&) = default;

 private:
  template <class T>
  bool holds() const {
    return std::holds_alternative<T>(value_);
  }
  template <class T>
  const T& get(const char* wanted) const {
    const T* const value = std::get_if<T>(&value_);
    require(value != nullptr, "json: given ", kind(), ", wanted ", wanted);
    return *value;
  }
  const char* kind() const {
    constexpr std::array names{"null", "a boolean", "an integer", "a number", "a string", "an array", "an object"};
    return names[value_.index()];
  }
  void dump_to(std::string& text, int indent, int level) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

namespace detail {

/// Length of the UTF-8 sequence that `text` starts with, or 0 if it starts with none (RFC 3629).
inline std::size_t utf8_length(std::string_view text) {
  auto const byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto const within = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  auto const continues = [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i <= last; ++i)
      if (!within(i, 0x80, 0xbf)) return false;
    return true;
  };
  unsigned const lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {  // neither overlong nor a surrogate
    bool const second = within(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
    return second && continues(2, 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {  // neither overlong nor beyond U+10FFFF
    bool const second = within(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
    return second && continues(2, 3) ? 4 : 0;
  }
  return 0;
}

inline void append_utf8(std::string& text, std::uint32_t code) {
  auto const put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

inline void append_quoted(std::string& text, std::string_view value) {
  text += '"';
  while (!value.empty()) {
    std::size_t const length = utf8_length(value);
    require(length > 0, "json: given a string that is not UTF-8");
    auto const c = static_cast<unsigned char>(value[0]);
    std::size_t const named = std::string_view("\"\\\b\f\n\r\t").find(value[0]);
    if (named != std::string_view::npos) {
      text += '\\';
      text += "\"\\bfnrt"[named];
    } else if (c < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      text += "\\u00";
      text += digits[c >> 4];
      text += digits[c & 15];
    } else {
      text += value.substr(0, length);
    }
    value.remove_prefix(length);
  }
  text += '"';
}

/// Reads one value from `text`, by recursive descent.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Json read_all() {
    auto result = read_value(0);
    skip_space();
    check(position_ == text_.size(), "wanted the end");
    return result;
  }

 private:
  static constexpr int max_depth = 100;

  void check(bool condition, const char* wanted) const {
    require(condition, "json: at byte ", position_, ": ", wanted);
  }
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool accept(std::string_view token) {
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++position_;
  }
  // What follows after optional space.
  bool next_is(std::string_view token) {
    skip_space();
    return accept(token);
  }

  Json read_value(int depth) {
    check(depth < max_depth, "wanted fewer nested levels");
    skip_space();
    if (accept("{")) return read_object(depth);
    if (accept("[")) return read_array(depth);
    if (accept("\"")) return Json(read_string());
    if (accept("true")) return Json(true);
    if (accept("false")) return Json(false);
    if (accept("null")) return Json();
    return read_number();
  }

  Json read_object(int depth) {
    Json::Object fields;
    std::set<std::string> names;
    if (next_is("}")) return Json(std::move(fields));
    do {
      check(next_is("\""), "wanted a name in quotes");
      auto name = read_string();
      check(names.insert(name).second, "wanted every name only once in an object");
      check(next_is(":"), "wanted ':'");
      fields.emplace_back(std::move(name), read_value(depth + 1));
    } while (next_is(","));
    check(next_is("}"), "wanted ',' or '}'");
    return Json(std::move(fields));
  }

  Json read_array(int depth) {
    Json::Array values;
    if (next_is("]")) return Json(std::move(values));
    do {
      values.push_back(read_value(depth + 1));
    } while (next_is(","));
    check(next_is("]"), "wanted ',' or ']'");
    return Json(std::move(values));
  }

  // After the opening quote.
  std::string read_string() {
    std::string result;
    while (!accept("\"")) {
      if (accept("\\")) {
        read_escape(result);
        continue;
      }
      std::size_t const length = utf8_length(text_.substr(position_));
      check(length > 0 && static_cast<unsigned char>(peek()) >= 0x20, "wanted UTF-8 text or a closing quote");
      result += text_.substr(position_, length);
      position_ += length;
    }
    return result;
  }

  void read_escape(std::string& result) {
    if (accept("u")) {
      std::uint32_t code = read_hex();
      check(code < 0xdc00 || code > 0xdfff, "wanted the first half of a surrogate pair first");
      if (code >= 0xd800 && code <= 0xdbff) {
        check(accept("\\u"), "wanted the second half of a surrogate pair");
        std::uint32_t const low = read_hex();
        check(low >= 0xdc00 && low <= 0xdfff, "wanted the second half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      }
      append_utf8(result, code);
      return;
    }
    std::size_t const named = std::string_view("\"\\/bfnrt").find(peek());
    check(position_ < text_.size() && named != std::string_view::npos, "wanted an escape sequence");
    result += "\"\\/\b\f\n\r\t"[named];
    ++position_;
  }

  std::uint32_t read_hex() {
    std::uint32_t code = 0;
    auto const digits = text_.substr(position_, 4);
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    check(error == std::errc() && digits.size() == 4 && end == digits.data() + 4, "wanted four hexadecimal digits");
    position_ += 4;
    return code;
  }

  std::size_t skip_digits() {
    std::size_t const start = position_;
    while (peek() >= '0' && peek() <= '9') ++position_;
    return position_ - start;
  }

  Json read_number() {
    std::size_t const start = position_;
    accept("-");
    bool const leading_zero = peek() == '0';
    std::size_t const digits = skip_digits();
    check(digits > 0 && !(leading_zero && digits > 1), "wanted a value");
    bool integer = true;
    if (accept(".")) {
      integer = false;
      check(skip_digits() > 0, "wanted a digit");
    }
    if (accept("e") || accept("E")) {
      integer = false;
      if (!accept("+")) accept("-");
      check(skip_digits() > 0, "wanted a digit");
    }
    auto const token = text_.substr(start, position_ - start);
    const char* const end = token.data() + token.size();
    std::int64_t whole = 0;
    if (integer && std::from_chars(token.data(), end, whole).ec == std::errc()) return Json(whole);
    double number = 0;
    check(std::from_chars(token.data(), end, number).ec == std::errc(), "wanted a number within the range of double");
    return Json(number);
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace detail

inline Json Json::parse(std::string_view text) { return detail::JsonReader(text).read_all(); }

inline void Json::dump_to(std::string& text, int indent, int level) const {
  auto const new_line = [&](int depth) {
    if (indent > 0) text += '\n' + std::string(static_cast<std::size_t>(indent * depth), ' ');
  };
  auto const number = [&](auto value) {
    std::array<char, 32> buffer;
    std::string_view const token(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
    text += token;
    bool const looks_integer = token.find_first_of(".e") == std::string_view::npos;
    if (std::floating_point<decltype(value)> && looks_integer) text += ".0";  // so that it is read as the same kind
  };
  // Writes the elements of an array or an object between its brackets.
  auto const list = [&](auto const& elements, const char* brackets, auto const& write_element) {
    text += brackets[0];
    bool first = true;
    for (auto const& element : elements) {
      if (!std::exchange(first, false)) text += ',';
      new_line(level + 1);
      write_element(element);
    }
    if (!first) new_line(level);
    text += brackets[1];
  };
  if (is_null()) text += "null";
  if (is_bool()) text += as_bool() ? "true" : "false";
  if (is_integer()) number(as_integer());
  if (auto const* const value = std::get_if<double>(&value_)) {
    if (std::isfinite(*value))
      number(*value);
    else
      text += "null";
  }
  if (is_string()) detail::append_quoted(text, as_string());
  if (is_array()) list(as_array(), "[]", [&](const Json& element) { element.dump_to(text, indent, level + 1); });
  if (is_object())
    list(as_object(), "{}", [&](auto const& field) {
      detail::append_quoted(text, field.first);
      text += indent > 0 ? ": " : ":";
      field.second.dump_to(text, indent, level + 1);
    });
}

}  // namespace stipple
