// PNG files of every kind, written here without libpng.
#include <stipple/io/read_png.hpp>

#include <zlib.h>

#include <string>
#include <vector>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

using Bytes = std::vector<int>;  // each 0 ... 255

std::string text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

std::string big_endian(std::size_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  auto const body = type + data;
  return big_endian(data.size()) + body +
         big_endian(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
}

std::string compressed(const std::string& data) {
  auto size = compressBound(static_cast<uLong>(data.size()));
  std::string bytes(size, 0);
  REQUIRE(compress(reinterpret_cast<Bytef*>(bytes.data()), &size, reinterpret_cast<const Bytef*>(data.data()),
                   static_cast<uLong>(data.size())) == Z_OK);
  return bytes.substr(0, size);
}

enum class Colors { gray = 0, rgb = 2, palette = 3, gray_alpha = 4, rgba = 6 };

struct Png {
  std::size_t width, height;
  int depth;
  Colors colors;
  Bytes rows;          // packed
  std::string chunks;  // before the pixels
  bool interlaced = false;
};

std::string header(const Png& png) {
  return big_endian(png.width) + big_endian(png.height) +
         text({png.depth, static_cast<int>(png.colors), 0, 0, png.interlaced ? 1 : 0});
}

std::string file_of(const Png& png) {
  std::size_t const row = png.rows.size() / png.height, pixel = row / png.width;
  std::string data;
  if (!png.interlaced) {
    for (std::size_t y = 0; y < png.height; ++y) data += '\0' + text(png.rows).substr(y * row, row);
  } else {
    struct Pass {
      std::size_t x, y, x_step, y_step;
    };
    for (auto const& pass : {Pass{0, 0, 8, 8}, Pass{4, 0, 8, 8}, Pass{0, 4, 4, 8}, Pass{2, 0, 4, 4}, Pass{0, 2, 2, 4},
                             Pass{1, 0, 2, 2}, Pass{0, 1, 1, 2}})
      for (std::size_t y = pass.y; y < png.height && pass.x < png.width; y += pass.y_step) {
        data += '\0';
        for (std::size_t x = pass.x; x < png.width; x += pass.x_step)
          data += text(png.rows).substr(y * row + x * pixel, pixel);
      }
  }
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header(png)) + png.chunks + chunk("IDAT", compressed(data)) +
         chunk("IEND", "");
}

struct Read {
  Shape shape;
  Bytes values;
  bool operator==(const Read&) const = default;
};

Read read(const Png& png) {
  ScratchFolder const folder;
  put_bytes(folder / "image.png", file_of(png));
  auto const pixels = read_png(folder / "image.png");
  return {pixels.shape(), {pixels.span().begin(), pixels.span().end()}};
}

}  // namespace

TEST_CASE("of 16 bits in a PNG file the upper 8 are read") {
  CHECK(read({2, 1, 16, Colors::rgb, {0x80, 0x80, 0x40, 0xff, 0x01, 0x00, 0xff, 0xff, 0x00, 0xff, 0x7f, 0x80}, {}}) ==
        Read{{1, 2, 3}, {0x80, 0x40, 0x01, 0xff, 0x00, 0x7f}});
  CHECK(read({1, 3, 16, Colors::gray, {0x80, 0x80, 0x00, 0xff, 0x12, 0x34}, {}}) ==
        Read{{3, 1, 1}, {0x80, 0x00, 0x12}});
  CHECK(read({2, 1, 16, Colors::gray_alpha, {0x33, 0x80, 0xff, 0xff, 0x33, 0x80, 0x00, 0x00}, {}}) ==
        Read{{1, 2, 1}, {0x33, 255}});
  CHECK(read({1, 1, 16, Colors::rgba, {0x33, 0x80, 0x44, 0x00, 0x55, 0x00, 0xff, 0xff}, {}}) ==
        Read{{1, 1, 3}, {0x33, 0x44, 0x55}});
  // One colour of 16 bits is transparent, and not those that differ from it in the lower 8.
  CHECK(read({2, 1, 16, Colors::gray, {0x12, 0x34, 0x12, 0x35}, chunk("tRNS", text({0x12, 0x34}))}) ==
        Read{{1, 2, 1}, {255, 0x12}});
}

TEST_CASE("gamma and colour profiles of a PNG file change no pixel") {
  Bytes const rows{0, 1, 64, 128, 200, 255};
  for (std::size_t const gamma : {std::size_t{45455}, std::size_t{55556}, std::size_t{100000}}) {
    auto const chunks = chunk("gAMA", big_endian(gamma));
    CHECK(read({6, 1, 8, Colors::gray, rows, chunks}) == Read{{1, 6, 1}, rows});
    CHECK(read({1, 2, 8, Colors::rgb, rows, chunks}) == Read{{2, 1, 3}, rows});
    CHECK(read({1, 1, 16, Colors::gray, {128, 128}, chunks}) == Read{{1, 1, 1}, {128}});
  }
  CHECK(read({6, 1, 8, Colors::gray, rows, chunk("sRGB", text({0}))}) == Read{{1, 6, 1}, rows});
  CHECK(read({6, 1, 8, Colors::gray, rows, chunk("iCCP", "broken")}) == Read{{1, 6, 1}, rows});
}

TEST_CASE("gray PNG files of 1, 2 and 4 bits get 8") {
  CHECK(read({10, 2, 1, Colors::gray, {0b10110000, 0b01000000, 0b00000001, 0b10000000}, {}}) ==
        Read{{2, 10, 1}, {255, 0, 255, 255, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0}});
  CHECK(read({5, 1, 2, Colors::gray, {0b00011011, 0b10000000}, {}}) == Read{{1, 5, 1}, {0, 85, 170, 255, 170}});
  CHECK(read({3, 1, 4, Colors::gray, {0x07, 0xf0}, {}}) == Read{{1, 3, 1}, {0, 119, 255}});
  CHECK(read({3, 1, 4, Colors::gray, {0x07, 0xf0}, chunk("tRNS", text({0, 7}))}) == Read{{1, 3, 1}, {0, 255, 255}});
}

TEST_CASE("PNG files with palettes become colours over white") {
  auto const palette = chunk("PLTE", text({10, 20, 30, 200, 100, 50, 0, 0, 0, 255, 255, 255}));
  CHECK(read({4, 1, 2, Colors::palette, {0b00011011}, palette}) ==
        Read{{1, 4, 3}, {10, 20, 30, 200, 100, 50, 0, 0, 0, 255, 255, 255}});
  CHECK(read({3, 1, 8, Colors::palette, {1, 0, 2}, palette + chunk("tRNS", text({0, 255, 51}))}) ==
        Read{{1, 3, 3}, {200, 100, 50, 255, 255, 255, 204, 204, 204}});
  CHECK(read({2, 1, 1, Colors::palette, {0b10000000}, palette}) == Read{{1, 2, 3}, {200, 100, 50, 10, 20, 30}});
}

TEST_CASE("what is half transparent in a PNG file is mixed with white") {
  CHECK(read({3, 1, 8, Colors::gray_alpha, {0, 128, 100, 255, 100, 51}, {}}) == Read{{1, 3, 1}, {127, 100, 224}});
  CHECK(read({2, 1, 8, Colors::rgba, {10, 20, 30, 255, 0, 255, 100, 102}, {}}) ==
        Read{{1, 2, 3}, {10, 20, 30, 153, 255, 193}});
  CHECK(read({1, 1, 8, Colors::rgb, {7, 8, 9}, chunk("tRNS", text({0, 7, 0, 8, 0, 9}))}) ==
        Read{{1, 1, 3}, {255, 255, 255}});
}

TEST_CASE("interlaced PNG files are read like others") {
  for (auto const colors : {Colors::gray, Colors::rgb, Colors::rgba})
    for (int const depth : {8, 16})
      for (std::size_t const width : {1, 3, 5, 8, 11}) {
        std::size_t const height = 13 - width;
        std::size_t const channels = colors == Colors::gray ? 1 : colors == Colors::rgb ? 3 : 4;
        Png png{width, height, depth, colors, {}, {}};
        for (std::size_t i = 0; i < width * height * channels * static_cast<std::size_t>(depth / 8); ++i)
          png.rows.push_back(static_cast<int>(i * 37 % 251));
        auto const plain = read(png);
        png.interlaced = true;
        CHECK(read(png) == plain);
      }
}
