// Files that break a rule of the format: each is refused with a sentence that names file and fault.
#include <random>
#include <string>
#include <vector>

#include <stipple/io/safetensors.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> 8 * i);
  return bytes + rest;
}
/// A file with this header and `data` bytes after it.
std::string with_header(const std::string& header, std::size_t data = 0) {
  return with_length(header.size(), header + std::string(data, '\x3f'));
}
/// One tensor "w" in a file with `data` bytes of elements.
std::string with_tensor(const std::string& dtype, const std::string& shape, const std::string& offsets,
                        std::size_t data) {
  return with_header(R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
                     data);
}

void read_everything(const SafetensorsFile& file) {
  for (auto const& name : file.names()) {
    try {
      (void)file.read<double>(name);
    } catch (const Error&) {
      (void)file.read<std::int64_t>(name);
    }
  }
}

}  // namespace

TEST_CASE("broken safetensors files are refused") {
  ScratchFolder const folder;
  auto const path = folder / "bad";
  auto const refused = [&](const std::string& bytes, std::string_view wanted) {
    put_bytes(path, bytes);
    INFO(bytes);
    require_error([&] { SafetensorsFile{path}; }, "bad'");
    require_error([&] { SafetensorsFile{path}; }, wanted);
  };
  SECTION("the length of the header") {
    refused("", "a file of 0 bytes");
    refused("1234567", "a file of 7 bytes");
    refused(with_length(3, "{}"), "a header of 3 bytes in a file of 10 bytes");
    refused(with_length(~std::uint64_t{0}, "{}"), "a header of 18446744073709551615 bytes");
    refused(with_length(~std::uint64_t{0} - 7, "{}"), "a header of 18446744073709551608 bytes");
    refused(with_length(std::uint64_t{1} << 63, "{}"), "a header of");
    refused(with_length(0, "{}"), "not a JSON object");
    refused(with_length(1, "{}"), "the header: not JSON at byte 1");
  }
  SECTION("an enormous header in an enormous file is not even looked at") {
    put_bytes(path, with_length(100'000'001, "{"));
    std::filesystem::resize_file(path, 100'000'009);  // sparse
    require_error([&] { SafetensorsFile{path}; }, "a header of 100000001 bytes");
  }
  SECTION("the text of the header") {
    refused(with_header("[]"), "not a JSON object");
    refused(with_header(" {}"), "not a JSON object");
    refused(with_header("{"), "the header: not JSON at byte 1");
    refused(with_header("{} x"), "the header: not JSON at byte 3");
    refused(with_header("{\"\xff\":1}"), "UTF-8");
    refused(with_header("{\"w\":" + std::string(5000, '[') + "}"), "nested");
    refused(with_header(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                        R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                        2),
            "'w' twice");
    refused(with_header(R"({"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1), "'dtype' twice");
    refused(with_header(R"({"__metadata__":[]})"), "__metadata__ is not an object");
    refused(with_header(R"({"__metadata__":{"k":1}})"), "__metadata__ 'k' is not a string");
  }
  SECTION("the fields of a tensor") {
    refused(with_header(R"({"w":1})"), "tensor 'w': wanted an object");
    refused(with_header(R"({"w":{"dtype":"U8","shape":[0]}})"), "tensor 'w': wanted an object with");
    refused(with_header(R"({"w":{"dtype":"U8","data_offsets":[0,0]}})"), "tensor 'w': wanted an object with");
    refused(with_header(R"({"w":{"shape":[0],"data_offsets":[0,0]}})"), "tensor 'w': wanted an object with");
  }
  SECTION("dtypes") {
    refused(with_tensor("\"F8_E4M3\"", "[4]", "[0,4]", 4), "given dtype 'F8_E4M3', wanted one of F64");
    refused(with_tensor("\"f32\"", "[1]", "[0,4]", 4), "given dtype 'f32'");
    refused(with_tensor("\"\"", "[1]", "[0,4]", 4), "given dtype ''");
    refused(with_tensor("7", "[1]", "[0,4]", 4), "the dtype is not a string");
  }
  SECTION("shapes") {
    refused(with_tensor("\"F32\"", "4", "[0,4]", 4), "wanted a shape of at most 6 extents");
    refused(with_tensor("\"F32\"", "[1,1,1,1,1,1,1]", "[0,4]", 4), "wanted a shape of at most 6 extents");
    for (const char* const extent : {"-1", "1.0", "\"1\"", "null", "[1]", "1e0", "18446744073709551617"})
      refused(with_tensor("\"F32\"", std::string("[") + extent + "]", "[0,4]", 4), "an extent of the shape is not");
    refused(with_tensor("\"F32\"", "[9223372036854775807]", "[0,4]", 4), "2^48");
    refused(with_tensor("\"F32\"", "[4294967296,4294967296]", "[0,0]", 0), "2^48");
    refused(with_tensor("\"F64\"", "[2305843009213693953]", "[0,8]", 8), "2^48");  // 2^61 + 1, times 8 is 8 again
    refused(with_tensor("\"F32\"", "[0,4294967296,4294967296]", "[0,0]", 0), "2^48");
    refused(with_tensor("\"F32\"", "[2]", "[0,4]", 4), "given 4 bytes, wanted 8 for F32 of shape (2)");
    refused(with_tensor("\"F32\"", "[0]", "[0,4]", 4), "given 4 bytes, wanted 0");
    refused(with_tensor("\"F32\"", "[]", "[0,0]", 0), "given 0 bytes, wanted 4");
  }
  SECTION("positions") {
    for (const char* const offsets : {"7", "[]", "[0]", "[0,4,8]", "[-1,3]", "[0,4.0]", "[0,\"4\"]", "[0,null]"})
      refused(with_tensor("\"F32\"", "[1]", offsets, 4), "data_offsets are not two byte positions");
    refused(with_tensor("\"F32\"", "[1]", "[0,4]", 3), "given bytes [0, 4) of 3");
    refused(with_tensor("\"F32\"", "[1]", "[4,8]", 4), "given bytes [4, 8) of 4");
    refused(with_tensor("\"F32\"", "[1]", "[4,0]", 4), "given bytes [4, 0) of 4");
    refused(with_tensor("\"F32\"", "[1]", "[9223372036854775804,9223372036854775807]", 4), "of 4");
    refused(with_tensor("\"F32\"", "[1]", "[0,4]", 5), "bytes [4, 5) belong to no tensor");
    refused(with_tensor("\"F32\"", "[1]", "[1,5]", 5), "bytes [0, 1) belong to no tensor");
    refused(with_header("{}", 1), "bytes [0, 1) belong to no tensor");
  }
  SECTION("overlaps and holes") {
    auto const two = [](const std::string& first, const std::string& second, std::size_t data) {
      return with_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                             R"(},"b":{"dtype":"I16","shape":[2],"data_offsets":)" + second + "}}",
                         data);
    };
    put_bytes(path, two("[4,8]", "[0,4]", 8));
    REQUIRE(SafetensorsFile(path).read<std::int32_t>("b").size() == 2);
    refused(two("[0,4]", "[0,4]", 4), "tensors 'a' and 'b' overlap");
    refused(two("[0,4]", "[3,7]", 7), "tensor 'b' overlaps");
    refused(two("[3,7]", "[0,4]", 7), "tensor 'a' overlaps");
    refused(two("[0,4]", "[5,9]", 9), "bytes [4, 5) belong to no tensor");
  }
}

TEST_CASE("empty tensors may stand anywhere between others") {
  ScratchFolder const folder;
  put_bytes(folder / "file", with_header(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                                         R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                         R"("c":{"dtype":"F32","shape":[0,2],"data_offsets":[4,4]},)"
                                         R"("d":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}})",
                                         4));
  REQUIRE(SafetensorsFile(folder / "file").names().size() == 4);
  put_bytes(folder / "file", with_header(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[2,2]},)"
                                         R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                         4));
  require_error([&] { SafetensorsFile{folder / "file"}; }, "tensor 'a' overlaps");
}

TEST_CASE("what is not a file is refused") {
  ScratchFolder const folder;
  require_error([&] { SafetensorsFile{folder.path()}; }, "given the folder");
  require_error([&] { SafetensorsFile{folder / "missing"}; }, "missing': No such file");
}

TEST_CASE("every truncation of a file is refused") {
  ScratchFolder const folder;
  auto const intact = bytes_of(FilePath(STIPPLE_TEST_REFERENCE_DIR) / "io/dtypes.safetensors");
  for (std::size_t length = 0; length < intact.size(); ++length) {
    std::filesystem::remove(folder / "cut");  // truncating makes some file systems flush
    put_bytes(folder / "cut", intact.substr(0, length));
    require_error([&] { SafetensorsFile{folder / "cut"}; }, "cut'");
  }
  put_bytes(folder / "cut", intact + '\0');
  require_error([&] { SafetensorsFile{folder / "cut"}; }, "belong to no tensor");
}

TEST_CASE("damaged safetensors files never do worse than an Error") {
  ScratchFolder const folder;
  auto const intact = bytes_of(FilePath(STIPPLE_TEST_REFERENCE_DIR) / "io/dtypes.safetensors");
  std::mt19937 random(1);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 4000; ++i) {
    auto damaged = intact;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips) {
      auto& byte = damaged[random() % damaged.size()];
      if (random() % 2 == 0)
        byte = static_cast<char>(byte ^ 1 << random() % 8);
      else
        byte = static_cast<char>('0' + random() % 10);  // digits make headers that still parse
    }
    std::filesystem::remove(folder / "damaged");  // truncating makes some file systems flush
    put_bytes(folder / "damaged", damaged);
    try {
      read_everything(SafetensorsFile(folder / "damaged"));
      ++accepted;
    } catch (const Error&) {
      ++refused;
    }
  }
  REQUIRE(accepted > 100);
  REQUIRE(refused > 100);
}
