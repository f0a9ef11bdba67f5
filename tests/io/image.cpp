#include <png.h>
#include <zlib.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <stipple/io/image.hpp>
#include <stipple/io/read_png.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

using Pixels = Tensor<std::uint8_t>;

std::vector<int> values(const Pixels& pixels) { return {pixels.span().begin(), pixels.span().end()}; }

Pixels noise(Shape shape) {
  std::mt19937 random(3);
  Pixels pixels(shape);
  for (auto& value : pixels.span()) value = static_cast<std::uint8_t>(random());
  return pixels;
}

/// Writes a PNG of any of libpng's formats, as other software would.
void write_by_libpng(const FilePath& path, png_uint_32 format, png_uint_32 width, png_uint_32 height,
                     const void* pixels, const void* palette = nullptr, png_uint_32 entries = 0) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = format;
  image.width = width;
  image.height = height;
  image.colormap_entries = entries;
  REQUIRE(png_image_write_to_file(&image, path.c_str(), 0, pixels, 0, palette) != 0);
}

}  // namespace

TEST_CASE("images become pixels by clamping and rounding halves to even") {
  Tensor<float> const images({2, 4}, {-1.0f, 1.0f, 0.0f, -7.0f, 9.0f, INFINITY, -INFINITY, -0.5f});
  auto const pixels = to_uint8(images);
  REQUIRE(pixels.shape() == Shape{2, 4});
  REQUIRE(values(pixels) == std::vector<int>{0, 255, 128, 0, 255, 255, 0, 64});  // 127.5 -> 128, 63.75 -> 64
  REQUIRE(values(to_uint8(Tensor<bf16>({2}, {bf16(0.0f), bf16(1.0f)}))) == std::vector<int>{128, 255});
  // Every pixel comes back from its own value, also in double.
  bool same = true;
  for (int i = 0; i < 256; ++i) {
    same = same && to_uint8(Tensor<float>({1}, {static_cast<float>(i) / 127.5f - 1})).item() == i;
    same = same && to_uint8(Tensor<double>({1}, {i / 127.5 - 1})).item() == i;
  }
  REQUIRE(same);
  require_error([] { to_uint8(Tensor<float>({2, 2}, {0.0f, 0.0f, NAN, 0.0f})); }, "given NaN as element 2");
}

TEST_CASE("written PNG files read back equal") {
  ScratchFolder const folder;
  auto const path = folder / "image.png";
  for (Shape const shape : {Shape{1, 1, 1}, Shape{1, 1, 3}, Shape{7, 13, 1}, Shape{13, 7, 3}, Shape{1, 300, 1},
                            Shape{300, 1, 3}, Shape{64, 64, 3}}) {
    auto const image = noise(shape);
    write_png(path, image);
    auto const read = read_png(path);
    REQUIRE(read.shape() == shape);
    REQUIRE(values(read) == values(image));
  }
  write_png(path, Pixels({100, 100, 1}, std::uint8_t{9}));
  REQUIRE(std::filesystem::file_size(path) < 1000);  // it is compressed
}

TEST_CASE("other software's PNG files are read") {
  ScratchFolder const folder;
  auto const path = folder / "other.png";
  std::vector<std::uint8_t> const rgba{10, 20, 30, 255, 40, 50, 60, 0};  // the second one is transparent
  write_by_libpng(path, PNG_FORMAT_RGBA, 2, 1, rgba.data());
  REQUIRE(read_png(path).shape() == Shape{1, 2, 3});
  REQUIRE(values(read_png(path)) == std::vector<int>{10, 20, 30, 255, 255, 255});
  std::vector<std::uint8_t> const gray_alpha{77, 255, 5, 0};
  write_by_libpng(path, PNG_FORMAT_GA, 1, 2, gray_alpha.data());
  REQUIRE(read_png(path).shape() == Shape{2, 1, 1});
  REQUIRE(values(read_png(path)) == std::vector<int>{77, 255});
  std::vector<std::uint8_t> const indices{1, 0, 1}, palette{1, 2, 3, 200, 100, 50};
  write_by_libpng(path, PNG_FORMAT_RGB_COLORMAP, 3, 1, indices.data(), palette.data(), 2);
  REQUIRE(values(read_png(path)) == std::vector<int>{200, 100, 50, 1, 2, 3, 200, 100, 50});
}

TEST_CASE("images that PNG cannot hold are refused") {
  ScratchFolder const folder;
  auto const path = folder / "image.png";
  put_bytes(path, "old");
  for (Shape const shape : {Shape{4, 4}, Shape{4, 4, 2}, Shape{4, 4, 4}, Shape{0, 4, 1}, Shape{1, 4, 4, 1}, Shape{}})
    require_error([&] { write_png(path, Pixels(shape)); }, "write_png: given shape (");
  require_error([&] { write_png(path, Pixels()); }, "write_png: given shape");
  require_error([&] { write_png(folder / "missing/image.png", noise({1, 1, 1})); }, "missing/image.png");
  REQUIRE(bytes_of(path) == "old");
}

TEST_CASE("PNG files that are cut, damaged or something else are refused") {
  ScratchFolder const folder;
  auto const path = folder / "image.png";
  write_png(path, noise({9, 9, 3}));
  auto const intact = bytes_of(path);
  std::size_t const data_end = intact.find("IEND") - 4;
  for (std::size_t length = 0; length < data_end; ++length) {
    std::filesystem::remove(path);
    put_bytes(path, intact.substr(0, length));
    require_error([&] { read_png(path); }, "image.png': ");
  }
  put_bytes(path, "<!DOCTYPE html>");
  require_error([&] { read_png(path); }, "image.png': ");
  require_error([&] { read_png(folder / "missing.png"); }, "missing.png': No such file");
  require_error([&] { read_png(folder.path()); }, "given the folder");

  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    auto damaged = intact;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    std::filesystem::remove(path);
    put_bytes(path, damaged);
    try {
      (void)read_png(path);
    } catch (const Error&) {
      ++refused;
    }
  }
  REQUIRE(refused > 1000);
}

TEST_CASE("a PNG that claims to be enormous is refused before memory is asked for") {
  ScratchFolder const folder;
  write_png(folder / "image.png", noise({9, 9, 1}));
  auto bytes = bytes_of(folder / "image.png");
  bytes.replace(16, 8, std::string("\0\1\0\0\0\1\0\0", 8));  // 65536 x 65536
  auto const crc = crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + 12), 17);
  for (std::size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  put_bytes(folder / "huge.png", bytes);
  require_error([&] { read_png(folder / "huge.png"); }, "bytes for shape (65536, 65536, 1)");
}

TEST_CASE("a grid lays images out row by row") {
  Pixels const images({3, 1, 2, 1}, {1, 2, 3, 4, 5, 6});
  auto const grid = make_grid(images, {.columns = 2, .padding = 1, .scale = 1, .background = 9});
  REQUIRE(grid.shape() == Shape{5, 7, 1});
  REQUIRE(values(grid) == std::vector<int>{9, 9, 9, 9, 9, 9, 9,  //
                                           9, 1, 2, 9, 3, 4, 9,  //
                                           9, 9, 9, 9, 9, 9, 9,  //
                                           9, 5, 6, 9, 9, 9, 9,  //
                                           9, 9, 9, 9, 9, 9, 9});
  auto const scaled = make_grid(images.slice(0, 2), {.columns = 1, .padding = 0, .scale = 2});
  REQUIRE(scaled.shape() == Shape{4, 4, 1});
  REQUIRE(values(scaled) == std::vector<int>{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
  auto const color = make_grid(Pixels({2, 1, 1, 3}, {1, 2, 3, 4, 5, 6}), {.padding = 0});
  REQUIRE(color.shape() == Shape{1, 2, 3});
  REQUIRE(values(color) == std::vector<int>{1, 2, 3, 4, 5, 6});
  REQUIRE(make_grid(noise({10, 1, 1, 1}), {.padding = 0}).shape() == Shape{3, 4, 1});
  REQUIRE(make_grid(noise({3, 1, 1, 1}), {.columns = 8, .padding = 0}).shape() == Shape{1, 3, 1});
}

TEST_CASE("a grid without images or with absurd options is refused") {
  auto const images = noise({2, 2, 2, 1});
  require_error([&] { make_grid(Pixels({0, 2, 2, 1})); }, "given shape (0, 2, 2, 1)");
  require_error([&] { make_grid(noise({2, 2, 1})); }, "given shape (2, 2, 1), wanted images (N, H, W, C)");
  require_error([&] { make_grid(images, {.columns = -1}); }, "given -1 columns");
  require_error([&] { make_grid(images, {.padding = -1}); }, "padding -1");
  require_error([&] { make_grid(images, {.scale = 0}); }, "given scale 0");
}

TEST_CASE("grids of samples are written in one call") {
  ScratchFolder const folder;
  Tensor<float> const samples({2, 1, 1, 3}, {-1.0f, 0.0f, 1.0f, 1.0f, -1.0f, 0.0f});
  write_grid(folder / "samples.png", samples, {.columns = 2, .padding = 0});
  REQUIRE(values(read_png(folder / "samples.png")) == std::vector<int>{0, 128, 255, 255, 0, 128});
  write_grid(folder / "pixels.png", noise({4, 3, 3, 1}), {.padding = 0, .scale = 3});
  REQUIRE(read_png(folder / "pixels.png").shape() == Shape{18, 18, 1});
  require_error([&] { write_grid(folder / "two.png", noise({4, 3, 3, 2})); }, "wanted (H, W, 1) or (H, W, 3)");
}
