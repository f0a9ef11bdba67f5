// JPEG files of several kinds against the pixels that Pillow reads: tests/reference/images/make.py.
#include <stipple/io/image.hpp>
#include <stipple/io/read_image.hpp>
#include <stipple/io/read_jpeg.hpp>
#include <stipple/io/safetensors.hpp>

#include <random>

#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

const std::filesystem::path images = STIPPLE_TEST_REFERENCE_DIR "/images";

}  // namespace

TEST_CASE("JPEG files have the pixels that Pillow reads") {
  SafetensorsFile const expected(images / "jpeg.safetensors");
  for (auto const& name : expected.names()) {
    INFO(name);
    auto const image = read_jpeg(images / (name + ".jpg"));
    // Colour conversion of CMYK is Pillow's own arithmetic too, so all are exact.
    CHECK(max_abs_difference(image, expected.read<std::uint8_t>(name)) == 0);
  }
  CHECK(expected.names().size() == 6);
  CHECK(read_jpeg(images / "gray.jpg").shape() == Shape{21, 30, 1});
}

TEST_CASE("images are told apart by their first bytes") {
  ScratchFolder const folder;
  put_bytes(folder / "a.png", bytes_of(images / "color.jpg"));  // the name lies
  CHECK(read_image(folder / "a.png").shape() == Shape{29, 37, 3});
  write_png(folder / "b.jpg", Tensor<std::uint8_t>({4, 5, 1}, std::uint8_t{7}));
  CHECK(read_image(folder / "b.jpg").shape() == Shape{4, 5, 1});
  put_bytes(folder / "c.jpg", "GIF89a and more");
  require_error([&] { read_image(folder / "c.jpg"); }, "c.jpg': given 15 bytes that begin neither as PNG nor as JPEG");
  put_bytes(folder / "d.jpg", "");
  require_error([&] { read_image(folder / "d.jpg"); }, "given 0 bytes");
  require_error([&] { read_image(folder / "missing.jpg"); }, "missing.jpg': No such file");
  require_error([&] { read_image(folder.path()); }, "given the folder");
}

TEST_CASE("JPEG files that are cut or damaged are refused") {
  ScratchFolder const folder;
  auto const path = folder / "image.jpg";
  for (const char* const name : {"color.jpg", "progressive.jpg"}) {
    auto const intact = bytes_of(images / name);
    for (std::size_t length = 0; length + 1 < intact.size(); length += length < 700 ? 1 : 13) {
      INFO(name << " cut to " << length);
      put_bytes(path, intact.substr(0, length));
      require_error([&] { read_jpeg(path); }, "read_jpeg: '" + path.string() + "': ");
    }
    std::mt19937 random(1);
    int refused = 0;
    for (int i = 0; i < 1000; ++i) {  // none of them may do more than throw
      auto damaged = intact;
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      put_bytes(path, damaged);
      try {
        (void)read_jpeg(path);
      } catch (const Error&) {
        ++refused;
      }
    }
    CHECK(refused > 100);
  }
}

TEST_CASE("a JPEG that claims to be enormous is refused before memory is asked for") {
  ScratchFolder const folder;
  auto bytes = bytes_of(images / "color.jpg");
  auto const frame = bytes.find("\xff\xc0");
  bytes.replace(frame + 5, 4, std::string("\xff\x00\xff\x00", 4));  // 65280 x 65280
  put_bytes(folder / "huge.jpg", bytes);
  require_error([&] { read_jpeg(folder / "huge.jpg"); }, "bytes for shape (65280, 65280, 3)");
}
