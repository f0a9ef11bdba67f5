// Image files of the usual formats to pixels.
#pragma once

#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The pixels of a PNG or JPEG file, told apart by its first bytes: (H, W, 1) if it is gray, otherwise (H, W, 3); see
/// `read_png` and `read_jpeg`. Throws Error if the file cannot be read, is of another format, or damaged.
STIPPLE_IO_INLINE Tensor<std::uint8_t> read_image(const FilePath& path);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <stipple/io/read_jpeg.hpp>
#include <stipple/io/read_png.hpp>

namespace stipple {

STIPPLE_IO_INLINE Tensor<std::uint8_t> read_image(const FilePath& path) {
  auto const bytes = read_file(path);
  if (bytes.starts_with("\x89PNG")) return detail::decode_png(bytes, path);
  require(bytes.starts_with("\xff\xd8"), "read_image: ", detail::quoted(path), ": given ", bytes.size(),
          " bytes that begin neither as PNG nor as JPEG");
  return detail::decode_jpeg(bytes, path);
}

}  // namespace stipple

#endif
