#include <gif_lib.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include <stipple/io/gif.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

using Pixels = Tensor<std::uint8_t>;

struct Decoded {
  int width = 0, height = 0;
  bool loops = false;                             // for ever
  std::vector<int> delays;                        // in 10 ms
  std::vector<std::vector<std::uint8_t>> frames;  // RGB
};

/// What giflib's own reader makes of a file.
Decoded decode(const FilePath& path) {
  int error = 0;
  GifFileType* const gif = DGifOpenFileName(path.c_str(), &error);
  REQUIRE(gif != nullptr);
  REQUIRE(DGifSlurp(gif) == GIF_OK);
  Decoded result{gif->SWidth, gif->SHeight, false, {}, {}};
  for (int i = 0; i < gif->ImageCount; ++i) {
    auto const& image = gif->SavedImages[i];
    REQUIRE((image.ImageDesc.Width == gif->SWidth && image.ImageDesc.Height == gif->SHeight));
    GraphicsControlBlock control{};
    REQUIRE(DGifSavedExtensionToGCB(gif, i, &control) == GIF_OK);
    result.delays.push_back(control.DelayTime);
    for (int j = 0; j < image.ExtensionBlockCount; ++j) {
      auto const& block = image.ExtensionBlocks[j];
      std::string const bytes(reinterpret_cast<const char*>(block.Bytes), static_cast<std::size_t>(block.ByteCount));
      if (block.Function == APPLICATION_EXT_FUNC_CODE && bytes == "NETSCAPE2.0") {
        auto const& next = image.ExtensionBlocks[j + 1];
        result.loops = next.ByteCount == 3 && next.Bytes[0] == 1 && next.Bytes[1] == 0 && next.Bytes[2] == 0;
      }
    }
    std::vector<std::uint8_t> rgb;
    for (int j = 0; j < gif->SWidth * gif->SHeight; ++j) {
      auto const index = image.RasterBits[j];
      REQUIRE(index < gif->SColorMap->ColorCount);
      auto const& color = gif->SColorMap->Colors[index];
      rgb.insert(rgb.end(), {color.Red, color.Green, color.Blue});
    }
    result.frames.push_back(std::move(rgb));
  }
  REQUIRE(DGifCloseFile(gif, &error) == GIF_OK);
  return result;
}

Pixels noise(Shape shape, unsigned seed) {
  std::mt19937 random(seed);
  Pixels pixels(shape);
  for (auto& value : pixels.span()) value = static_cast<std::uint8_t>(random());
  return pixels;
}

std::vector<std::uint8_t> bytes(const Pixels& pixels) { return {pixels.span().begin(), pixels.span().end()}; }

}  // namespace

TEST_CASE("gray animations are exact, with their delays") {
  ScratchFolder const folder;
  std::vector<Pixels> frames;
  for (unsigned i = 0; i < 5; ++i) frames.push_back(noise({11, 7, 1}, i));
  write_gif(folder / "gray.gif", frames);
  auto const gif = decode(folder / "gray.gif");
  REQUIRE((gif.width == 7 && gif.height == 11));
  REQUIRE(gif.loops);
  REQUIRE(gif.delays == std::vector<int>{5, 5, 5, 5, 100});
  REQUIRE(gif.frames.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    std::vector<std::uint8_t> wanted;
    for (std::uint8_t const shade : frames[i].span()) wanted.insert(wanted.end(), 3, shade);
    REQUIRE(gif.frames[i] == wanted);
  }
}

TEST_CASE("delays and looping can be chosen") {
  ScratchFolder const folder;
  auto const frame = noise({2, 2, 1}, 1);
  write_gif(folder / "once.gif", {frame, frame}, {.delay_ms = 26, .last_delay_ms = 655350, .loop = false});
  auto const gif = decode(folder / "once.gif");
  REQUIRE_FALSE(gif.loops);
  REQUIRE(gif.delays == std::vector<int>{3, 65535});
  write_gif(folder / "single.gif", {frame}, {.delay_ms = 0, .last_delay_ms = 0});
  REQUIRE(decode(folder / "single.gif").delays == std::vector<int>{0});
}

TEST_CASE("up to 256 colours in all frames together are exact") {
  ScratchFolder const folder;
  for (int const colors : {1, 2, 3, 255, 256}) {
    auto const table = noise({256, 3}, 9);
    std::vector<Pixels> frames;
    for (int i = 0; i < 3; ++i) {
      Pixels frame({8, 16, 3});
      for (int j = 0; j < 8 * 16; ++j) std::copy_n(table.data() + (i * 100 + j) % colors * 3, 3, frame.data() + 3 * j);
      frames.push_back(frame);
    }
    write_gif(folder / "few.gif", frames);
    auto const gif = decode(folder / "few.gif");
    REQUIRE(gif.frames.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(gif.frames[i] == bytes(frames[i]));
  }
}

TEST_CASE("many colours are approximated closely") {
  ScratchFolder const folder;
  Pixels frame({64, 64, 3});  // a smooth picture with 4096 colours
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      std::uint8_t* const pixel = frame.data() + (y * 64 + x) * 3;
      pixel[0] = static_cast<std::uint8_t>(4 * x);
      pixel[1] = static_cast<std::uint8_t>(4 * y);
      pixel[2] = static_cast<std::uint8_t>(2 * (x + y));
    }
  write_gif(folder / "smooth.gif", {frame});
  auto const given = decode(folder / "smooth.gif").frames[0];
  auto const wanted = bytes(frame);
  double sum = 0;
  int largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    int const difference = std::abs(int{given[i]} - int{wanted[i]});
    sum += difference;
    largest = std::max(largest, difference);
  }
  // 256 equal boxes of this plane are 16 x 16 in red and green: a quarter of that on average, half at most.
  REQUIRE(sum / static_cast<double>(wanted.size()) < 5);
  REQUIRE(largest <= 20);
}

TEST_CASE("a rare colour among many keeps a place in the palette") {
  ScratchFolder const folder;
  Pixels frame = noise({64, 64, 3}, 4);
  for (auto& value : frame.span()) value = static_cast<std::uint8_t>(value / 4);  // dark noise
  std::uint8_t const white[] = {255, 255, 255};
  for (int i = 0; i < 40; ++i) std::copy_n(white, 3, frame.data() + 300 * i);
  write_gif(folder / "rare.gif", {frame});
  auto const given = decode(folder / "rare.gif").frames[0];
  for (std::size_t i = 0; i < 40; ++i) REQUIRE(given[300 * i] == 255);
}

TEST_CASE("what GIF cannot hold is refused, and the old file kept") {
  ScratchFolder const folder;
  auto const path = folder / "animation.gif";
  put_bytes(path, "old");
  auto const frame = noise({4, 4, 1}, 1);
  require_error([&] { write_gif(path, {}); }, "given no frames");
  require_error([&] { write_gif(path, {frame, noise({4, 5, 1}, 1)}); }, "shapes (4, 4, 1) and (4, 5, 1)");
  require_error([&] { write_gif(path, {noise({4, 4}, 1)}); }, "given shape (4, 4)");
  require_error([&] { write_gif(path, {noise({4, 4, 2}, 1)}); }, "given shape (4, 4, 2)");
  require_error([&] { write_gif(path, {Pixels({0, 4, 1})}); }, "given shape (0, 4, 1)");
  require_error([&] { write_gif(path, {Pixels({1, 65536, 1}, std::uint8_t{0})}); }, "given shape (1, 65536, 1)");
  require_error([&] { write_gif(path, {Pixels()}); }, "write_gif: given shape");
  require_error([&] { write_gif(path, {frame}, {.delay_ms = -1}); }, "given delays of -1");
  require_error([&] { write_gif(path, {frame}, {.last_delay_ms = 700'000}); }, "and 700000 ms");
  require_error([&] { write_gif(folder / "missing/a.gif", {frame}); }, "missing/a.gif");
  REQUIRE(bytes_of(path) == "old");
}
