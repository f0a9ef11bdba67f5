#include <stipple/io/hash.hpp>

#include "check.hpp"
#include "scratch_folder.hpp"

using stipple::sha256;
using stipple::sha256_of_file;

namespace {
std::string of(const std::string& text) { return sha256(std::as_bytes(std::span(text))); }
}  // namespace

// Values: examples of FIPS 180-4.
TEST_CASE("SHA-256 gives the published digests") {
  CHECK(of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(of(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 of a file is that of its bytes") {
  ScratchFolder const folder;
  std::string const bytes("a\0b\n", 4);
  put_bytes(folder / "file", bytes);
  put_bytes(folder / "empty", "");
  CHECK(sha256_of_file(folder / "file") == of(bytes));
  CHECK(sha256_of_file(folder / "empty") == of(""));
  require_error([&] { sha256_of_file(folder / "missing"); }, "read: cannot open '");
  require_error([&] { sha256_of_file(folder.path()); }, "wanted a file");
}
