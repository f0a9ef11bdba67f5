// JSON (RFC 8259) for headers, configurations, logs and metrics: nlohmann-json, with this library's errors and limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/core/error.hpp>

namespace stipple {

/// Objects keep the order of insertion, so that equal values written in the same order are equal bytes.
using Json = nlohmann::ordered_json;

/// The one JSON value that `text` holds. Throws Error, which begins with `what` and says at which byte, if it is not
/// JSON in UTF-8; also if an object repeats a name or has more than 32,768, or if arrays and objects nest deeper than
/// 100 levels.
STIPPLE_IO_INLINE Json parse_json(std::string_view text, std::string_view what);

/// `indent` spaces a level, or all on one line for -1. NaN and infinities, which JSON lacks, become null.
/// Throws Error if a string is not UTF-8.
STIPPLE_IO_INLINE std::string dump_json(const Json& json, int indent = -1);

/// Whether `json` is an integer that fits std::int64_t.
STIPPLE_IO_INLINE bool is_integer(const Json& json);

/// Field `name` of an object. Throws Error, which begins with `what`, if `json` is no object or has no such field.
STIPPLE_IO_INLINE const Json& get_field(const Json& json, const char* name, std::string_view what);

/// Field `name` of an object as a value of one kind. These throw Error if it is absent or of another kind.
STIPPLE_IO_INLINE bool get_bool(const Json& json, const char* name, std::string_view what);
STIPPLE_IO_INLINE std::int64_t get_integer(const Json& json, const char* name, std::string_view what);
STIPPLE_IO_INLINE double get_number(const Json& json, const char* name, std::string_view what);
STIPPLE_IO_INLINE const std::string& get_string(const Json& json, const char* name, std::string_view what);
STIPPLE_IO_INLINE const Json& get_array(const Json& json, const char* name, std::string_view what);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <functional>
#include <limits>
#include <set>
#include <vector>

namespace stipple::detail {

// What a file may ask of the parser: names only once, bounded recursion (in the destructor and `dump_json`) and bounded
// time (objects search their names linearly).
class JsonLimits {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start)
      require(depth < max_depth, "given more than ", max_depth, " nested levels");
    if (event == Event::object_start) names_.emplace_back();
    if (event == Event::object_end) names_.pop_back();
    if (event == Event::key) {
      auto const& name = value.get_ref<const std::string&>();
      require(names_.back().insert(name).second, "given '", name, "' twice, wanted every name only once in an object");
      require(names_.back().size() <= max_names, "given an object with more than ", max_names, " names");
    }
    return true;
  }

 private:
  static constexpr int max_depth = 100;
  static constexpr std::size_t max_names = 1 << 15;
  std::vector<std::set<std::string>> names_;  // of the objects that are open
};

template <class Predicate>
const Json& get_field_of_kind(const Json& json, const char* name, std::string_view what, Predicate is_kind,
                              const char* kind) {
  auto const& field = get_field(json, name, what);
  require(std::invoke(is_kind, field), what, ": '", name, "': given ", field.type_name(), ", wanted ", kind);
  return field;
}

// The reason in "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing value -
// unexpected ']'; last read: ...", which is all that fits a sentence.
inline std::string_view parse_failure(std::string_view text) {
  text = text.substr(0, text.find("; last read"));
  auto const dash = text.find(" - ");
  return dash == std::string_view::npos ? text : text.substr(dash + 3);
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE Json parse_json(std::string_view text, std::string_view what) {
  auto const null = text.find('\0');  // the parser takes it for the end
  require(null == std::string_view::npos, what, ": not JSON at byte ", null, ": unexpected null character");
  try {
    return Json::parse(text,
                       [limits = detail::JsonLimits()](int depth, Json::parse_event_t event, Json& value) mutable {
                         return limits(depth, event, value);
                       });
  } catch (const Json::parse_error& error) {
    fail(what, ": not JSON at byte ", error.byte - (error.byte > 0), ": ", detail::parse_failure(error.what()));
  } catch (const Json::out_of_range&) {
    fail(what, ": given a number beyond the range of double");
  } catch (const Error& error) {
    fail(what, ": ", error.what());
  }
}

STIPPLE_IO_INLINE std::string dump_json(const Json& json, int indent) {
  try {
    return json.dump(indent);
  } catch (const Json::type_error&) {
    fail("dump_json: given a string that is not UTF-8");
  }
}

STIPPLE_IO_INLINE bool is_integer(const Json& json) {
  return json.is_number_integer() &&
         (!json.is_number_unsigned() || json.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
}

STIPPLE_IO_INLINE const Json& get_field(const Json& json, const char* name, std::string_view what) {
  require(json.is_object(), what, ": given ", json.type_name(), ", wanted an object with '", name, "'");
  auto const field = json.find(name);
  require(field != json.end(), what, ": given an object without '", name, "'");
  return *field;
}

STIPPLE_IO_INLINE bool get_bool(const Json& json, const char* name, std::string_view what) {
  return detail::get_field_of_kind(json, name, what, &Json::is_boolean, "a boolean").get<bool>();
}

STIPPLE_IO_INLINE std::int64_t get_integer(const Json& json, const char* name, std::string_view what) {
  return detail::get_field_of_kind(json, name, what, is_integer, "an integer").get<std::int64_t>();
}

STIPPLE_IO_INLINE double get_number(const Json& json, const char* name, std::string_view what) {
  return detail::get_field_of_kind(json, name, what, &Json::is_number, "a number").get<double>();
}

STIPPLE_IO_INLINE const std::string& get_string(const Json& json, const char* name, std::string_view what) {
  return detail::get_field_of_kind(json, name, what, &Json::is_string, "a string").get_ref<const std::string&>();
}

STIPPLE_IO_INLINE const Json& get_array(const Json& json, const char* name, std::string_view what) {
  return detail::get_field_of_kind(json, name, what, &Json::is_array, "an array");
}

}  // namespace stipple

#endif
