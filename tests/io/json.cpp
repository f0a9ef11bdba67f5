#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <stipple/io/json.hpp>

#include "catch.hpp"
#include "check.hpp"

using namespace stipple;

TEST_CASE("values of every kind are read and written") {
  auto const json = Json::parse(
      " {\"a\" : [1, -2.5, 1e3, \"x\"],\n\t\"b\":{\"c\":null,\"d\":true,\"e\":false},\"f\":[],\"g\":{}}\r\n");
  REQUIRE(json.at("a").as_array().size() == 4);
  REQUIRE(json.at("a").as_array()[0].as_integer() == 1);
  REQUIRE(json.at("a").as_array()[1].as_number() == -2.5);
  REQUIRE(json.at("a").as_array()[2].as_number() == 1000);
  REQUIRE(json.at("b").at("c").is_null());
  REQUIRE(json.at("b").at("d").as_bool());
  REQUIRE_FALSE(json.at("b").at("e").as_bool());
  REQUIRE(json.find("z") == nullptr);
  REQUIRE(json.dump() == R"({"a":[1,-2.5,1000.0,"x"],"b":{"c":null,"d":true,"e":false},"f":[],"g":{}})");
  REQUIRE(json.dump(2) ==
          "{\n  \"a\": [\n    1,\n    -2.5,\n    1000.0,\n    \"x\"\n  ],\n  \"b\": {\n    \"c\": null,\n"
          "    \"d\": true,\n    \"e\": false\n  },\n  \"f\": [],\n  \"g\": {}\n}");
  REQUIRE(Json::parse(json.dump(2)) == json);
}

TEST_CASE("values are built in place") {
  Json json;
  json["steps"] = 5000;
  json["loss"] = 0.25;
  json["name"] = "swiss roll";
  json["nested"]["deep"] = true;
  json["steps"] = std::uint8_t{7};
  json["list"].push_back(1);
  json["list"].push_back(Json::object({{"k", nullptr}}));
  REQUIRE(json.dump() == R"({"steps":7,"loss":0.25,"name":"swiss roll","nested":{"deep":true},"list":[1,{"k":null}]})");
}

TEST_CASE("numbers keep their values") {
  constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t const value : {least, most, std::int64_t{0}, std::int64_t{-1}})
    REQUIRE(Json::parse(Json(value).dump()).as_integer() == value);
  for (double const value : {0.1, -0.0, 1e300, 5e-324, 1.0 / 3, 123456789.0, 1e22, -2.5e-8}) {
    auto const read = Json::parse(Json(value).dump());
    REQUIRE_FALSE(read.is_integer());
    REQUIRE(read.as_number() == value);
    REQUIRE(std::signbit(read.as_number()) == std::signbit(value));
  }
  REQUIRE(Json::parse("9223372036854775808").as_number() == 0x1p63);  // beyond 64 bits: no integer any more
  REQUIRE_FALSE(Json::parse("9223372036854775808").is_integer());
  REQUIRE(Json(NAN).dump() == "null");
  REQUIRE(Json(-INFINITY).dump() == "null");
  require_error([] { Json{std::numeric_limits<std::uint64_t>::max()}; }, "18446744073709551615");
}

TEST_CASE("strings carry any text") {
  std::string const text = "\"\\/\b\f\n\r\t\x01\x1f\x7f é € 😀";
  REQUIRE(Json(text).dump() == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é € 😀\"");
  REQUIRE(Json::parse(Json(text).dump()).as_string() == text);
  REQUIRE(Json::parse(R"("\u00e9\u20AC\ud83d\ude00\u0041\/")").as_string() == "é€😀A/");
  REQUIRE(Json::parse(R"("\u0000")").as_string() == std::string(1, '\0'));
  REQUIRE(Json::parse("{\"a\\u0000b\":1}").contains(std::string("a\0b", 3)));
}

TEST_CASE("what is not JSON is refused with the position") {
  for (const char* const text : {"",
                                 " ",
                                 "{",
                                 "[",
                                 "}",
                                 "[1",
                                 "[1,",
                                 "[1,]",
                                 "[,1]",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "{a:1}",
                                 "{\"a\":1 \"b\":2}",
                                 "{1:2}",
                                 "tru",
                                 "True",
                                 "nul",
                                 "NaN",
                                 "Infinity",
                                 "-",
                                 "+1",
                                 "01",
                                 "-01",
                                 "1.",
                                 ".5",
                                 "1.e3",
                                 "1e",
                                 "1e+",
                                 "0x10",
                                 "1 2",
                                 "[1] x",
                                 "\"abc",
                                 "\"\\x\"",
                                 "\"\\",
                                 "\"\\u12\"",
                                 "\"\\u12g4\"",
                                 "\"\\u-123\"",
                                 "\"\\ud800\"",
                                 "\"\\ud800x\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"\\udc00\"",
                                 "\"a\nb\"",
                                 "\"\t\"",
                                 "1e999",
                                 "// 1\n1"}) {
    INFO(text);
    require_error([&] { Json::parse(text); }, "json: at byte ");
  }
  require_error([] { Json::parse("[1, 2, x]"); }, "at byte 7");
  require_error([] { Json::parse(std::string_view("[1]\0", 4)); }, "at byte 3");
  require_error([] { Json::parse("{\"a\":1,\"b\":2,\"a\":3}"); }, "only once");
}

TEST_CASE("text that is not UTF-8 is refused both ways") {
  for (const char* const text : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80",
                                 "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3\x28"}) {
    INFO(text);
    require_error([&] { Json::parse('"' + std::string(text) + '"'); }, "UTF-8");
    require_error([&] { Json(text).dump(); }, "UTF-8");
  }
  for (const char* const text :
       {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    REQUIRE(Json::parse(Json(text).dump()).as_string() == text);
}

TEST_CASE("deep nesting is refused, not followed") {
  std::string const deep(100'000, '[');
  require_error([&] { Json::parse(deep); }, "nested");
  std::string const fine = std::string(99, '[') + "1" + std::string(99, ']');
  REQUIRE(Json::parse(fine).dump() == fine);
}

TEST_CASE("a value of another kind is refused") {
  auto const json = Json::parse(R"({"a":1,"b":"x","c":[1],"d":1.5})");
  require_error([&] { (void)json.at("z"); }, "without 'z'");
  require_error([&] { (void)json.at("b").as_integer(); }, "given a string, wanted an integer");
  require_error([&] { (void)json.at("d").as_integer(); }, "given a number, wanted an integer");
  require_error([&] { (void)json.at("a").as_string(); }, "given an integer, wanted a string");
  require_error([&] { (void)json.at("c").at("x"); }, "given an array, wanted an object");
  require_error([&] { (void)json.at("b").as_number(); }, "wanted a number");
  require_error([&] { (void)json.at("a").as_bool(); }, "wanted a boolean");
  require_error([&] { (void)json.at("a").as_array(); }, "wanted an array");
  Json text = "x";
  require_error([&] { text["a"]; }, "wanted an object");
  require_error([&] { text.push_back(1); }, "wanted an array");
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
      auto const json = Json::parse(damaged);
      REQUIRE(Json::parse(json.dump()) == json);
      ++accepted;
    } catch (const Error&) {
      ++refused;
    }
  }
  REQUIRE(accepted > 100);
  REQUIRE(refused > 100);
}
