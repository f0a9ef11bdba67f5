// Animations as GIF files, by giflib.
#pragma once

#include <string>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/palette.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

struct GifOptions {
  int delay_ms = 50;         ///< how long a frame stays; GIF rounds to 10 ms
  int last_delay_ms = 1000;  ///< how long the last one stays
  bool loop = true;          ///< for ever
};

/// Replaces the file at `path` by an animation of `frames`, each (H, W, 1) gray or (H, W, 3) colour. Gray is exact;
/// colour is exact up to 256 colours in all frames together. See `write_atomically`.
STIPPLE_IO_INLINE void write_gif(const FilePath& path, const std::vector<Tensor<std::uint8_t>>& frames,
                                 const GifOptions& options = {});

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <gif_lib.h>
#include <array>
#include <bit>

namespace stipple::detail {

/// A GIF that is being encoded into memory.
class GifEncoder {
 public:
  GifEncoder() {
    auto const append = [](GifFileType* gif, const GifByteType* data, int size) {
      static_cast<std::string*>(gif->UserData)
          ->append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
      return size;
    };
    gif_ = EGifOpen(&bytes_, append, &error_);
    check(gif_ != nullptr);
  }
  GifEncoder(const GifEncoder&) = delete;
  GifEncoder& operator=(const GifEncoder&) = delete;
  ~GifEncoder() {
    if (gif_ != nullptr) EGifCloseFile(gif_, nullptr);
  }

  void begin(int width, int height, const Palette& palette, bool loop) {
    // A colour table has a power of two entries, at least two.
    std::size_t const entries = std::max<std::size_t>(2, std::bit_ceil(palette.colors().size()));
    std::vector<GifColorType> colors(entries, GifColorType{0, 0, 0});
    for (std::size_t i = 0; i < palette.colors().size(); ++i) {
      auto const& color = palette.colors()[i];
      colors[i] = {color[0], color[1], color[2]};
    }
    ColorMapObject* const map = GifMakeMapObject(static_cast<int>(entries), colors.data());
    require(map != nullptr, "write_gif: no memory");
    EGifSetGifVersion(gif_, true);
    int const status = EGifPutScreenDesc(gif_, width, height, 8, 0, map);
    GifFreeMapObject(map);
    check(status == GIF_OK);
    if (loop) put_loop();
  }

  void put_frame(int width, int height, const std::vector<std::uint8_t>& indices, int delay_ms) {
    GraphicsControlBlock const control{DISPOSE_DO_NOT, false, (delay_ms + 5) / 10, NO_TRANSPARENT_COLOR};
    std::array<GifByteType, 4> block;
    EGifGCBToExtension(&control, block.data());
    check(EGifPutExtension(gif_, GRAPHICS_EXT_FUNC_CODE, static_cast<int>(block.size()), block.data()) == GIF_OK);
    check(EGifPutImageDesc(gif_, 0, 0, width, height, false, nullptr) == GIF_OK);
    auto pixels = indices;  // giflib may change them
    check(EGifPutLine(gif_, pixels.data(), static_cast<int>(pixels.size())) == GIF_OK);
  }

  std::string finish() {
    check(EGifCloseFile(std::exchange(gif_, nullptr), &error_) == GIF_OK);
    return std::move(bytes_);
  }

 private:
  void check(bool condition) const {
    if (condition) return;
    const char* const reason = GifErrorString(gif_ != nullptr ? gif_->Error : error_);
    fail("write_gif: ", reason != nullptr ? reason : "unknown reason");
  }

  // The extension by which all viewers repeat the animation: sub-block 1, repetitions 0 (for ever).
  void put_loop() {
    std::array<GifByteType, 3> const forever{1, 0, 0};
    check(EGifPutExtensionLeader(gif_, APPLICATION_EXT_FUNC_CODE) == GIF_OK);
    check(EGifPutExtensionBlock(gif_, 11, "NETSCAPE2.0") == GIF_OK);
    check(EGifPutExtensionBlock(gif_, static_cast<int>(forever.size()), forever.data()) == GIF_OK);
    check(EGifPutExtensionTrailer(gif_) == GIF_OK);
  }

  std::string bytes_;
  GifFileType* gif_ = nullptr;
  int error_ = 0;
};

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE void write_gif(const FilePath& path, const std::vector<Tensor<std::uint8_t>>& frames,
                                 const GifOptions& options) {
  constexpr int longest_delay = 655350;  // 16 bits of 10 ms
  require(!frames.empty(), "write_gif: given no frames");
  require(options.delay_ms >= 0 && options.delay_ms <= longest_delay && options.last_delay_ms >= 0 &&
              options.last_delay_ms <= longest_delay,
          "write_gif: given delays of ", options.delay_ms, " and ", options.last_delay_ms, " ms, wanted 0 to ",
          longest_delay);
  Shape const shape = frames.front().shape();
  require(shape.rank() == 3 && shape.size() > 0 && shape[0] <= 65535 && shape[1] <= 65535 &&
              (shape[2] == 1 || shape[2] == 3),
          "write_gif: given shape ", shape, ", wanted (H, W, 1) or (H, W, 3)");
  for (auto const& frame : frames)
    require(frame.shape() == shape, "write_gif: given frames of shapes ", shape, " and ", frame.shape());

  auto const height = static_cast<int>(shape[0]), width = static_cast<int>(shape[1]);
  auto const channels = static_cast<std::size_t>(shape[2]);
  auto const palette = channels == 1 ? Palette::gray() : Palette::of(frames);
  detail::GifEncoder encoder;
  encoder.begin(width, height, palette, options.loop);
  std::vector<std::uint8_t> indices(static_cast<std::size_t>(shape[0] * shape[1]));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::uint8_t* const pixels = frames[i].data();
    for (std::size_t j = 0; j < indices.size(); ++j)
      indices[j] = channels == 1 ? pixels[j] : palette.index(pixels + 3 * j);
    encoder.put_frame(width, height, indices, i + 1 == frames.size() ? options.last_delay_ms : options.delay_ms);
  }
  write_atomically(path, encoder.finish());
}

}  // namespace stipple

#endif
