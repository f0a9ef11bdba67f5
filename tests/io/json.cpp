// What json.hpp adds to nlohmann-json: limits, sentences, checked fields.
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <stipple/io/json.hpp>

#include "catch.hpp"
#include "check.hpp"

using namespace stipple;

namespace {

Json parse(std::string_view text) { return parse_json(text, "test"); }

}  // namespace

TEST_CASE("JSON is read and written in the order of the text") {
  auto const json =
      parse(" {\"z\" : [1, -2.5, 1e3, \"x\"],\n\t\"b\":{\"c\":null,\"d\":true,\"e\":false},\"f\":[],\"a\":{}}\r\n");
  REQUIRE(dump_json(json) == R"({"z":[1,-2.5,1000.0,"x"],"b":{"c":null,"d":true,"e":false},"f":[],"a":{}})");
  REQUIRE(dump_json(Json::object({{"z", Json::array({1, 0.5})}, {"a", true}}), 2) ==
          "{\n  \"z\": [\n    1,\n    0.5\n  ],\n  \"a\": true\n}");
  REQUIRE(parse(dump_json(json, 2)) == json);
}

TEST_CASE("numbers keep their values") {
  constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t const value : {least, most, std::int64_t{0}, std::int64_t{-1}}) {
    auto const read = parse(dump_json(Json(value)));
    REQUIRE(is_integer(read));
    REQUIRE(read.get<std::int64_t>() == value);
  }
  for (double const value : {0.1, -0.0, 1e300, 5e-324, 1.0 / 3, 123456789.0, 1e22, -2.5e-8}) {
    auto const read = parse(dump_json(Json(value)));
    REQUIRE_FALSE(is_integer(read));
    REQUIRE(read.get<double>() == value);
    REQUIRE(std::signbit(read.get<double>()) == std::signbit(value));
  }
  REQUIRE_FALSE(is_integer(parse("9223372036854775808")));
  REQUIRE_FALSE(is_integer(parse("18446744073709551616")));
  REQUIRE(dump_json(Json::array({NAN, -INFINITY})) == "[null,null]");
}

TEST_CASE("what is not JSON is refused with the position") {
  for (const char* const text :
       {"",  " ",  "{",  "[1",  "[1,]",  "{\"a\"}", "{\"a\":1,}", "{a:1}",       "True",   "NaN",
        "-", "01", "1.", "1 2", "\"abc", "\"\\x\"", "\"\\u12\"",  "\"\\ud800\"", "\"\t\"", "// 1\n1"}) {
    INFO(text);
    require_error([&] { parse(text); }, "test: not JSON at byte ");
  }
  require_error([] { parse("[1, 2, x]"); }, "at byte 7: invalid literal");
  require_error([] { parse("[1, 2"); }, "at byte 5: unexpected end of input; expected ']'");
  require_error([] { parse(std::string_view("[1]\0", 4)); }, "at byte 3");
  require_error([] { parse(std::string_view("[\"\0\"]", 5)); }, "at byte 2");
  require_error([] { parse("[1e999]"); }, "test: given a number beyond the range of double");
}

TEST_CASE("an object has every name once") {
  require_error([] { parse("{\"a\":1,\"b\":2,\"a\":3}"); }, "test: given 'a' twice");
  require_error([] { parse("[{\"b\":{\"a\":1,\"a\":2}}]"); }, "test: given 'a' twice");
  require_error([] { parse("{\"b\":{\"b\":1},\"b\":2}"); }, "test: given 'b' twice");
  REQUIRE(parse("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}").size() == 2);
}

TEST_CASE("huge objects and deep nesting are refused") {
  std::string names = "{\"0\":0";
  for (int i = 1; i <= 32'768; ++i) names += ",\"" + std::to_string(i) + "\":0";
  require_error([&] { parse(names + "}"); }, "more than 32768 names");
  require_error([&] { parse(std::string(100'000, '[')); }, "test: given more than 100 nested levels");
  auto const nested = [](int levels) {
    std::string text = "1";
    for (int i = 0; i < levels; ++i) text = i % 2 == 0 ? "[" + text + "]" : "{\"a\":" + text + "}";
    return text;
  };
  REQUIRE(dump_json(parse(nested(100))) == nested(100));
  require_error([&] { parse(nested(101)); }, "nested");
}

TEST_CASE("text that is not UTF-8 is refused both ways") {
  for (const char* const text : {"\x80", "\xc3", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    INFO(text);
    require_error([&] { parse('"' + std::string(text) + '"'); }, "UTF-8");
    require_error([&] { parse("{\"" + std::string(text) + "\":1}"); }, "UTF-8");
    require_error([&] { dump_json(Json(text)); }, "UTF-8");
    require_error([&] { dump_json(Json::object({{text, 1}})); }, "UTF-8");
  }
  std::string const text = "\"\\/\b\f\n\r\t\x01\x1f\x7f é € 😀";
  REQUIRE(dump_json(Json(text)) == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é € 😀\"");
  REQUIRE(parse(dump_json(Json(text))) == text);
}

TEST_CASE("fields are checked") {
  auto const json = parse(R"({"i":1,"s":"x","a":[1],"d":1.5,"b":true,"u":9223372036854775808})");
  REQUIRE(get_integer(json, "i", "test") == 1);
  REQUIRE(get_string(json, "s", "test") == "x");
  REQUIRE(get_array(json, "a", "test").size() == 1);
  REQUIRE(get_number(json, "d", "test") == 1.5);
  REQUIRE(get_number(json, "i", "test") == 1);
  REQUIRE(get_bool(json, "b", "test"));
  REQUIRE(get_field(json, "d", "test") == 1.5);
  require_error([&] { get_field(json, "z", "test"); }, "test: given an object without 'z'");
  require_error([&] { get_field(json.at("a"), "x", "test"); }, "test: given array, wanted an object with 'x'");
  require_error([&] { get_integer(json, "s", "test"); }, "test: 's': given string, wanted an integer");
  require_error([&] { get_integer(json, "d", "test"); }, "wanted an integer");
  require_error([&] { get_integer(json, "u", "test"); }, "wanted an integer");
  require_error([&] { get_integer(json, "z", "test"); }, "without 'z'");
  require_error([&] { get_string(json, "i", "test"); }, "'i': given number, wanted a string");
  require_error([&] { get_number(json, "s", "test"); }, "wanted a number");
  require_error([&] { get_bool(json, "i", "test"); }, "wanted a boolean");
  require_error([&] { get_array(json, "i", "test"); }, "wanted an array");
}

TEST_CASE("damaged JSON never does worse than an Error") {
  std::string const intact =
      R"({"a":[1,-2.5,1e3,"x\u00e9\ud83d\ude00 é"],"b":{"c":null,"d":true},"__metadata__":{"k":"v"}})";
  std::mt19937 random(1);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto damaged = intact;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      auto const json = parse(damaged);
      REQUIRE(parse(dump_json(json)) == json);
      ++accepted;
    } catch (const Error&) {
      ++refused;
    }
  }
  REQUIRE(accepted > 100);
  REQUIRE(refused > 100);
}
