// The choice of an instruction set by the environment.
#include <cstdlib>

#include <stipple/core/isa.hpp>

#include "check.hpp"

using stipple::Isa;

namespace {

Isa detect_with(const char* name) {
  const char* const before = std::getenv("STIPPLE_ISA");
  std::string const kept = before ? before : "";
  setenv("STIPPLE_ISA", name, 1);
  struct Restore {
    const std::string& value;
    ~Restore() { value.empty() ? unsetenv("STIPPLE_ISA") : setenv("STIPPLE_ISA", value.c_str(), 1); }
  } const restore{kept};
  return stipple::detect_isa();
}

}  // namespace

TEST_CASE("STIPPLE_ISA names any instruction set up to the processor's best") {
  Isa const best = stipple::supported_isa();
  CHECK(detect_with("") == best);
  for (std::size_t i = 0; i < stipple::isa_names.size(); ++i) {
    std::string const name(stipple::isa_names[i]);
    if (static_cast<Isa>(i) <= best)
      CHECK(detect_with(name.c_str()) == static_cast<Isa>(i));
    else
      require_error([&] { detect_with(name.c_str()); }, "this processor goes up to");
  }
  require_error([] { detect_with("sse9"); }, "given sse9, wanted one of portable");
}
