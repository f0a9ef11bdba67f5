#include <zlib.h>

#include <random>
#include <string>

#include <stipple/io/idx.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;
using namespace std::string_literals;

namespace {

std::string idx_header(std::initializer_list<std::uint32_t> extents, char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(extents.size())};
  for (std::uint32_t const extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  return bytes;
}

/// Bytes without a pattern, so that they do not shrink.
std::string noise(std::size_t count) {
  std::mt19937 random(7);
  std::string bytes(count, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string gzip(const std::string& bytes) {
  ScratchFolder const folder;
  gzFile const file = gzopen((folder / "file.gz").c_str(), "wb");
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size()));
  REQUIRE(gzclose(file) == Z_OK);
  return bytes_of(folder / "file.gz");
}

std::string content(const Tensor<std::uint8_t>& tensor) { return {tensor.span().begin(), tensor.span().end()}; }

}  // namespace

TEST_CASE("IDX files are read plain and compressed") {
  ScratchFolder const folder;
  auto const pixels = noise(5 * 4 * 3);
  auto const bytes = idx_header({5, 4, 3}) + pixels;
  auto const compressed = gzip(bytes);
  put_bytes(folder / "plain", bytes);
  put_bytes(folder / "compressed", compressed);
  put_bytes(folder / "pieces", gzip(bytes.substr(0, 30)) + gzip(bytes.substr(30)));
  for (const char* const name : {"plain", "compressed", "pieces"}) {
    auto const tensor = read_idx(folder / name);
    REQUIRE(tensor.shape() == Shape{5, 4, 3});
    REQUIRE(content(tensor) == pixels);
    auto const images = read_idx_images(folder / name);
    REQUIRE(images.shape() == Shape{5, 4, 3, 1});
    REQUIRE(content(images) == pixels);
  }
  put_bytes(folder / "labels", idx_header({3}) + "\x09\x00\xff"s);
  auto const labels = read_idx_labels(folder / "labels");
  REQUIRE(labels.shape() == Shape{3});
  REQUIRE((labels.data()[0] == 9 && labels.data()[1] == 0 && labels.data()[2] == 255));
  put_bytes(folder / "none", idx_header({0, 28, 28}));
  REQUIRE(read_idx_images(folder / "none").shape() == Shape{0, 28, 28, 1});
}

TEST_CASE("large compressed files cross the borders of all buffers") {
  ScratchFolder const folder;
  std::string pixels(3'000'000, '\0');  // shrinks about a thousandfold, as far as deflate can
  pixels.back() = 5;
  put_bytes(folder / "zeros.gz", gzip(idx_header({3000, 1000}) + pixels));
  REQUIRE(content(read_idx(folder / "zeros.gz")) == pixels);
}

TEST_CASE("files that are not what they should be are refused by name") {
  ScratchFolder const folder;
  auto const path = folder / "file";
  auto const refused = [&](const std::string& bytes, std::string_view wanted) {
    for (auto const& form : {bytes, gzip(bytes)}) {
      put_bytes(path, form);
      require_error([&] { read_idx(path); }, "file': ");
      require_error([&] { read_idx(path); }, wanted);
    }
  };
  refused("", "does not start as an IDX file does");
  refused("\0\0\10"s, "does not start");
  refused("\1\0\10\1\0\0\0\0"s, "does not start");
  refused("\0\1\10\1\0\0\0\0"s, "does not start");
  refused("<!DOCTYPE html>", "does not start");
  for (char const type : {'\x00', '\x09', '\x0b', '\x0c', '\x0d', '\x0e', '\xff'})
    refused(idx_header({1}, type) + "x", "given element type " + std::to_string(static_cast<unsigned char>(type)));
  refused(idx_header({}), "given rank 0");
  refused(idx_header({1, 1, 1, 1, 1, 1, 1}) + "x", "given rank 7");
  refused(idx_header({2, 3}).substr(0, 11), "ends within its shape");
  refused(idx_header({2, 3}) + "12345", "5 elements for shape (2, 3)");
  refused(idx_header({2, 3}) + "1234567", "given more elements than shape (2, 3) has");
  refused(idx_header({0xffffffff, 0xffffffff}), "2^48");
  refused(idx_header({0xffffffff, 0xffff}) + "few", "elements for shape (4294967295, 65535)");
  put_bytes(path, idx_header({2, 3}) + "123456");
  require_error([&] { read_idx_images(path); }, "given shape (2, 3), wanted images (N, H, W)");
  require_error([&] { read_idx_labels(path); }, "given shape (2, 3), wanted labels (N)");
  require_error([&] { read_idx(folder.path()); }, "given the folder");
  require_error([&] { read_idx(folder / "missing"); }, "missing': No such file");
}

TEST_CASE("compressed files that are cut or damaged are refused") {
  ScratchFolder const folder;
  auto const path = folder / "file.gz";
  auto const bytes = gzip(idx_header({10, 28, 28}) + noise(7840));
  REQUIRE(bytes.size() > 7000);
  for (std::size_t length = 0; length < bytes.size(); length += length < 40 ? 1 : 100) {
    put_bytes(path, bytes.substr(0, length));
    require_error([&] { read_idx(path); }, length < 2 ? "does not start" : "the compressed data end too early");
  }
  for (std::size_t missing = 1; missing <= 8; ++missing) {  // within the checksum and the length at the end
    put_bytes(path, bytes.substr(0, bytes.size() - missing));
    require_error([&] { read_idx(path); }, "the compressed data end too early");
  }
  auto damaged = bytes;
  damaged[bytes.size() - 6] ^= 1;  // the checksum
  put_bytes(path, damaged);
  require_error([&] { read_idx(path); }, "the compressed data are corrupt: incorrect data check");
  put_bytes(path, bytes + "tail");
  require_error([&] { read_idx(path); }, "given 4 bytes after the compressed data");
}

TEST_CASE("damaged IDX files never do worse than an Error") {
  ScratchFolder const folder;
  auto const plain = idx_header({10, 7, 5}) + std::string(350, 'x');
  std::mt19937 random(1);
  for (auto const& intact : {plain, gzip(plain)}) {
    int refused = 0;
    for (int i = 0; i < 1500; ++i) {
      auto damaged = intact;
      auto const reach = std::min<std::size_t>(damaged.size(), 40);
      damaged[random() % reach] ^= static_cast<char>(1 << random() % 8);
      std::filesystem::remove(folder / "damaged");  // truncating makes some file systems flush
      put_bytes(folder / "damaged", damaged);
      try {
        auto const elements = read_idx(folder / "damaged").size();
        REQUIRE(elements == 350);
      } catch (const Error&) {
        ++refused;
      }
    }
    REQUIRE(refused > 300);
  }
}

TEST_CASE("a data file is found with and without .gz") {
  ScratchFolder const folder;
  put_bytes(folder / "a", "");
  put_bytes(folder / "b.gz", "");
  std::filesystem::create_directory(folder / "c");
  REQUIRE(find_idx(folder.path(), "a") == folder / "a");
  REQUIRE(find_idx(folder.path(), "b") == folder / "b.gz");
  require_error([&] { find_idx(folder.path(), "c"); }, "wanted c or c.gz in the folder");
  require_error([&] { find_idx(folder / "missing", "a"); }, "missing");
}
