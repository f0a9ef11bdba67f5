// PNG files to images, by libpng.
#pragma once

#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The pixels of a PNG file: (H, W, 1) if it is gray, otherwise (H, W, 3); 8 bits each, transparent parts over white.
/// Throws Error if the file cannot be read or is not a whole PNG file.
STIPPLE_IO_INLINE Tensor<std::uint8_t> read_png(const FilePath& path);

namespace detail {

/// The same of a file's bytes; `path` is for messages.
STIPPLE_IO_INLINE Tensor<std::uint8_t> decode_png(std::string_view bytes, const FilePath& path);

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <png.h>

namespace stipple::detail {

STIPPLE_IO_INLINE Tensor<std::uint8_t> decode_png(std::string_view bytes, const FilePath& path) {
  struct Image : png_image {
    Image() : png_image{} { version = PNG_IMAGE_VERSION; }
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
    ~Image() { png_image_free(this); }
  } image;
  auto const check = [&](bool condition) {
    require(condition, "read_png: ", quoted(path), ": ", std::string_view(image.message));
  };
  check(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) != 0);
  bool const color = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = color ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Shape const shape{Index{image.height}, Index{image.width}, color ? 3 : 1};
  // Deflate shrinks to a 1032nd at most, a palette of two colours to another 24th.
  require(shape.size() / 24 / 1032 <= static_cast<Index>(bytes.size()), "read_png: ", quoted(path), ": given ",
          bytes.size(), " bytes for shape ", shape);
  Tensor<std::uint8_t> pixels(shape);
  png_color const white{255, 255, 255};
  check(png_image_finish_read(&image, &white, pixels.data(), 0, nullptr) != 0);
  return pixels;
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE Tensor<std::uint8_t> read_png(const FilePath& path) {
  return detail::decode_png(read_file(path), path);
}

}  // namespace stipple

#endif
