// JPEG files to images, by libjpeg.
#pragma once

#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// The pixels of a JPEG file: (H, W, 1) if it is gray, otherwise (H, W, 3), as they are stored: a camera's note on how
/// to turn them is passed over. Files in CMYK become RGB by (1 - C) (1 - K), with the inverted values that Adobe
/// writes. Throws Error if the file cannot be read, is not a whole JPEG file, or has damaged pixels.
STIPPLE_IO_INLINE Tensor<std::uint8_t> read_jpeg(const FilePath& path);

namespace detail {

/// The same of a file's bytes; `path` is for messages.
STIPPLE_IO_INLINE Tensor<std::uint8_t> decode_jpeg(std::string_view bytes, const FilePath& path);

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

namespace stipple::detail {

/// What libjpeg calls with its messages. After an error it must not return, so it jumps back into JpegDecoder; between
/// there and here lie frames of C alone.
struct JpegMessages : jpeg_error_mgr {
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
  bool damaged;

  static void on_error(j_common_ptr info) {
    auto* const self = static_cast<JpegMessages*>(info->err);
    self->format_message(info, self->text);
    std::longjmp(self->back, 1);
  }
  // Levels below zero are warnings. libjpeg goes on after them, with gray in place of pixels that it does not know.
  static void on_message(j_common_ptr info, int level) {
    auto* const self = static_cast<JpegMessages*>(info->err);
    if (level >= 0 || self->damaged) return;
    switch (self->msg_code) {
      case JWRN_HIT_MARKER:
      case JWRN_HUFF_BAD_CODE:
      case JWRN_JPEG_EOF:
      case JWRN_MUST_RESYNC:
        self->damaged = true;
        self->format_message(info, self->text);
    }
  }
};

class JpegDecoder {
 public:
  JpegDecoder(std::string_view bytes, const FilePath& path) : bytes_(bytes), path_(path) {
    info_.err = jpeg_std_error(&messages_);
    messages_.error_exit = JpegMessages::on_error;
    messages_.emit_message = JpegMessages::on_message;
    messages_.damaged = false;
  }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }

  Tensor<std::uint8_t> decode() {
    check(start());
    Shape const shape{Index{info_.output_height}, Index{info_.output_width}, Index{info_.output_components}};
    // A block of 64 values takes a bit at the least, of chrominance as many pixels as its sampling says.
    require(shape.size() / 8 / 64 / 24 <= static_cast<Index>(bytes_.size()), "read_jpeg: ", quoted(path_), ": given ",
            bytes_.size(), " bytes for shape ", shape);
    Tensor<std::uint8_t> pixels(shape);
    check(finish(pixels.data(), shape[1] * shape[2]) && !messages_.damaged);
    return shape[2] == 4 ? from_inverted_cmyk(pixels) : pixels;
  }

 private:
  void check(bool condition) const {
    require(condition, "read_jpeg: ", quoted(path_), ": ", std::string_view(messages_.text));
  }

  // These two return false after an error. They own nothing, because the jump runs no destructors.
  bool start() {
    if (setjmp(messages_.back) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()),
                 static_cast<unsigned long>(bytes_.size()));
    jpeg_read_header(&info_, TRUE);
    switch (info_.jpeg_color_space) {
      case JCS_GRAYSCALE:
        info_.out_color_space = JCS_GRAYSCALE;
        break;
      case JCS_CMYK:
      case JCS_YCCK:
        info_.out_color_space = JCS_CMYK;
        break;
      default:  // an error where there is no way to RGB
        info_.out_color_space = JCS_RGB;
    }
    jpeg_calc_output_dimensions(&info_);
    return true;
  }
  bool finish(std::uint8_t* pixels, Index row_size) {
    if (setjmp(messages_.back) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels + Index{info_.output_scanline} * row_size;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  static Tensor<std::uint8_t> from_inverted_cmyk(const Tensor<std::uint8_t>& from) {
    Tensor<std::uint8_t> to(from.shape().with(2, 3));
    for (Index i = 0; i < from.size() / 4; ++i) {
      const std::uint8_t* const cmyk = from.data() + 4 * i;
      for (Index c = 0; c < 3; ++c) {  // both factors are stored as 255 less the ink
        int const product = cmyk[3] * (255 - cmyk[c]) + 128;
        to.data()[3 * i + c] = static_cast<std::uint8_t>(cmyk[3] - ((product >> 8) + product) / 256);
      }
    }
    return to;
  }

  std::string_view bytes_;
  const FilePath& path_;
  jpeg_decompress_struct info_{};
  JpegMessages messages_{};
};

STIPPLE_IO_INLINE Tensor<std::uint8_t> decode_jpeg(std::string_view bytes, const FilePath& path) {
  return JpegDecoder(bytes, path).decode();
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE Tensor<std::uint8_t> read_jpeg(const FilePath& path) {
  return detail::decode_jpeg(read_file(path), path);
}

}  // namespace stipple

#endif
