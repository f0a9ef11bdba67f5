// How the sentences of errors are put together.
#include <string>

#include <stipple/core/error.hpp>

#include "check.hpp"

TEST_CASE("Error: the text is the concatenation of its parts") {
  std::string const name = "tile";
  require_error([&] { stipple::fail("op: given ", name, " of ", 3, " and ", true, ", wanted ", 2.5, " or ", 7u); },
                "op: given tile of 3 and true, wanted 2.5 or 7");
}

TEST_CASE("Error: numbers are written so that they can be told apart") {
  CHECK(stipple::to_text(0.5) == "0.5");
  CHECK(stipple::to_text(-3.0) == "-3");
  CHECK(stipple::to_text(100.0) == "100");
  CHECK(stipple::to_text(0.1f) == "0.1");
  CHECK(stipple::to_text(1e-9) == "1e-09");
  CHECK(stipple::to_text(2.5e20) == "2.5e+20");
}

TEST_CASE("Error: require throws only when the condition fails") {
  CHECK_NOTHROW(stipple::require(true, "never"));
  require_error([] { stipple::require(false, "always ", 1); }, "always 1");
}
