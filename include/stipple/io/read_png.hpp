// PNG files to images, by libpng.
#pragma once

#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The pixels of a PNG file: (H, W, 1) if it is gray, otherwise (H, W, 3); 8 bits each, as they are stored: gamma and
/// colour profiles are passed over. Of 16 bits these are the upper 8, as Pillow has it for colour (Pillow clips 16-bit
/// gray at 255 instead). Transparent parts lie over white. Throws Error if the file cannot be read or is not a whole
/// PNG file.
STIPPLE_IO_INLINE Tensor<std::uint8_t> read_png(const FilePath& path);

namespace detail {

/// The same of a file's bytes; `path` is for messages.
STIPPLE_IO_INLINE Tensor<std::uint8_t> decode_png(std::string_view bytes, const FilePath& path);

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include <png.h>

namespace stipple::detail {

class PngDecoder {
 public:
  PngDecoder(std::string_view bytes, const FilePath& path) : rest_(bytes), size_(bytes.size()), path_(path) {}
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  Tensor<std::uint8_t> decode() {
    check(start());
    Index const channels{png_get_channels(png_, info_)};  // 2 or 4 with alpha
    Shape const stored{Index{png_get_image_height(png_, info_)}, Index{png_get_image_width(png_, info_)}, channels};
    auto const shape = stored.with(2, channels <= 2 ? 1 : 3);
    // Deflate shrinks to a 1032nd at most, a palette of two colours to another 24th.
    require(shape.size() / 24 / 1032 <= static_cast<Index>(size_), "read_png: ", quoted(path_), ": given ", size_,
            " bytes for shape ", shape);
    Tensor<std::uint8_t> pixels(stored);
    check(finish(pixels.data(), stored[0], stored[1] * channels));
    return channels % 2 == 0 ? over_white(pixels, shape) : pixels;
  }

 private:
  void check(bool condition) const { require(condition, "read_png: ", quoted(path_), ": ", std::string_view(text_)); }

  // libpng calls this with an error and must not get back, so it jumps into the decoder; between there and here lie
  // frames of C alone.
  static void on_error(png_structp png, png_const_charp message) {
    auto* const self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::snprintf(self->text_, sizeof self->text_, "%s", message);
    std::longjmp(self->back_, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void hand_over(png_structp png, png_bytep to, std::size_t count) {
    auto& rest = static_cast<PngDecoder*>(png_get_io_ptr(png))->rest_;
    if (count > rest.size()) png_error(png, "read beyond end of data");
    std::memcpy(to, rest.data(), count);
    rest.remove_prefix(count);
  }

  // These two return false after an error. They own nothing, because the jump runs no destructors.
  bool start() {
    if (setjmp(back_) != 0) return false;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_ == nullptr) return false;
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) return false;
    png_set_read_fn(png_, this, hand_over);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // all but pixels, palette and tRNS
    png_read_info(png_, info_);
    png_set_expand(png_);  // palettes to colours, gray of 1, 2 and 4 bits to 8, tRNS to alpha
    png_set_strip_16(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }
  bool finish(png_bytep pixels, Index rows, Index row_size) {
    if (setjmp(back_) != 0) return false;
    for (int pass = 0; pass < passes_; ++pass)
      for (Index y = 0; y < rows; ++y) png_read_row(png_, pixels + y * row_size, nullptr);
    return true;
  }

  static Tensor<std::uint8_t> over_white(const Tensor<std::uint8_t>& from, const Shape& shape) {
    Tensor<std::uint8_t> to(shape);
    Index const channels = shape[2];
    for (Index i = 0; i < shape[0] * shape[1]; ++i) {
      const std::uint8_t* const values = from.data() + i * (channels + 1);
      for (Index c = 0; c < channels; ++c)
        to.data()[i * channels + c] =
            static_cast<std::uint8_t>(255 - (values[channels] * (255 - values[c]) + 127) / 255);
    }
    return to;
  }

  std::string_view rest_;  // bytes that libpng has not asked for yet
  std::size_t size_;
  const FilePath& path_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;  // more if it is interlaced
  std::jmp_buf back_;
  char text_[256] = "libpng has no memory";
};

STIPPLE_IO_INLINE Tensor<std::uint8_t> decode_png(std::string_view bytes, const FilePath& path) {
  return PngDecoder(bytes, path).decode();
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE Tensor<std::uint8_t> read_png(const FilePath& path) {
  return detail::decode_png(read_file(path), path);
}

}  // namespace stipple

#endif
