// Images to PNG files: single ones and grids of samples.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Pixels of images in [-1, 1]: round(clamp(x / 2 + 0.5, 0, 1) * 255), halves to even, as in the courses and in
/// NumPy. Any shape. Throws Error for NaN.
template <Real T>
Tensor<std::uint8_t> to_uint8(const Tensor<T>& images);

/// Replaces the file at `path` by a PNG of `image`, (H, W, 1) gray or (H, W, 3) colour; see `write_atomically`.
STIPPLE_IO_INLINE void write_png(const FilePath& path, const Tensor<std::uint8_t>& image);

/// How images are laid out side by side.
struct GridOptions {
  Index columns = 0;  ///< 0 for about as many columns as rows
  Index padding = 2;  ///< pixels around and between the images
  Index scale = 1;    ///< every pixel becomes scale x scale pixels
  std::uint8_t background = 0;
};

/// One image with all of `images` (N, H, W, C), row by row.
STIPPLE_IO_INLINE Tensor<std::uint8_t> make_grid(const Tensor<std::uint8_t>& images, const GridOptions& options = {});

/// Replaces the file at `path` by a PNG of `images` (N, H, W, 1 or 3) in a grid.
STIPPLE_IO_INLINE void write_grid(const FilePath& path, const Tensor<std::uint8_t>& images,
                                  const GridOptions& options = {});
/// The same for images in [-1, 1].
template <Real T>
void write_grid(const FilePath& path, const Tensor<T>& images, const GridOptions& options = {});

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_image_write.h>
#else
#include <stb_image_write.h>
#endif
#pragma GCC diagnostic pop

namespace stipple {

template <Real T>
Tensor<std::uint8_t> to_uint8(const Tensor<T>& images) {
  using Wide = accumulate_t<T>;
  Tensor<std::uint8_t> pixels(images.shape());
  for (Index i = 0; i < images.size(); ++i) {
    auto const x = static_cast<Wide>(images.data()[i]);
    require(!std::isnan(x), "to_uint8: given NaN as element ", i, " of images of shape ", images.shape());
    pixels.data()[i] =
        static_cast<std::uint8_t>(std::nearbyint(std::clamp(x / 2 + Wide(0.5), Wide(0), Wide(1)) * Wide(255)));
  }
  return pixels;
}

STIPPLE_IO_INLINE void write_png(const FilePath& path, const Tensor<std::uint8_t>& image) {
  require(image.rank() == 3 && image.size() > 0 && (image.dim(2) == 1 || image.dim(2) == 3), "write_png: given shape ",
          image.shape(), ", wanted (H, W, 1) or (H, W, 3)");
  constexpr Index most = std::numeric_limits<int>::max() / 4;  // the encoder counts bytes in int
  require(image.size() + image.dim(0) <= most, "write_png: given shape ", image.shape(), ", wanted fewer pixels");
  std::string bytes;
  auto const append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  auto const height = static_cast<int>(image.dim(0)), width = static_cast<int>(image.dim(1));
  auto const channels = static_cast<int>(image.dim(2));
  int const written = stbi_write_png_to_func(append, &bytes, width, height, channels, image.data(), width * channels);
  require(written != 0, "write_png: no memory to encode an image of shape ", image.shape());
  write_atomically(path, bytes);
}

STIPPLE_IO_INLINE Tensor<std::uint8_t> make_grid(const Tensor<std::uint8_t>& images, const GridOptions& options) {
  constexpr Index most = 1 << 16;
  require(images.rank() == 4 && images.size() > 0, "make_grid: given shape ", images.shape(),
          ", wanted images (N, H, W, C)");
  require(options.columns >= 0 && options.padding >= 0 && options.padding <= most, "make_grid: given ", options.columns,
          " columns and padding ", options.padding, ", wanted neither negative nor huge");
  require(options.scale >= 1 && options.scale <= most, "make_grid: given scale ", options.scale, ", wanted 1 to ",
          most);
  Index const n = images.dim(0), h = images.dim(1), w = images.dim(2), c = images.dim(3);
  auto const square = static_cast<Index>(std::ceil(std::sqrt(static_cast<double>(n))));
  Index const columns = std::min(n, options.columns == 0 ? square : options.columns);
  Index const rows = (n + columns - 1) / columns, scale = options.scale;
  Index const pitch_y = h * scale + options.padding, pitch_x = w * scale + options.padding;  // from image to image
  Tensor<std::uint8_t> grid({rows * pitch_y + options.padding, columns * pitch_x + options.padding, c},
                            options.background);
  for (Index i = 0; i < n; ++i) {
    Index const top = options.padding + i / columns * pitch_y, left = options.padding + i % columns * pitch_x;
    for (Index y = 0; y < h * scale; ++y) {
      std::uint8_t* out = grid.data() + ((top + y) * grid.dim(1) + left) * c;
      const std::uint8_t* const row = images.data() + (i * h + y / scale) * w * c;
      for (Index x = 0; x < w * scale; ++x, out += c) std::copy_n(row + x / scale * c, c, out);
    }
  }
  return grid;
}

STIPPLE_IO_INLINE void write_grid(const FilePath& path, const Tensor<std::uint8_t>& images,
                                  const GridOptions& options) {
  write_png(path, make_grid(images, options));
}

template <Real T>
void write_grid(const FilePath& path, const Tensor<T>& images, const GridOptions& options) {
  write_grid(path, to_uint8(images), options);
}

#define STIPPLE_INSTANCES(T)                                   \
  template Tensor<std::uint8_t> to_uint8<T>(const Tensor<T>&); \
  template void write_grid<T>(const FilePath&, const Tensor<T>&, const GridOptions&);
STIPPLE_INSTANTIATE(STIPPLE_INSTANCES(float) STIPPLE_INSTANCES(bf16) STIPPLE_INSTANCES(double))
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
