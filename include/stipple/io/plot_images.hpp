// Images side by side with a title above each, as PNG files. Drawn by gnuplot.
#pragma once

#include <string>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/gnuplot.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// One image among several.
struct ImagePanel {
  std::string title;
  Tensor<std::uint8_t> image;  ///< (H, W, 1) gray or (H, W, 3) colour
};

struct ImagePanelOptions {
  int columns = 0;        ///< 0 for all in one row
  int scale = 3;          ///< every pixel becomes scale x scale pixels
  int title_height = 20;  ///< pixels above each image
};

/// Replaces the file at `path` by a grid of images, row by row; see `write_atomically`. Throws Error unless there are
/// images, all of one shape and at least 2 x 2, or if there is no gnuplot.
STIPPLE_IO_INLINE void plot_images(const FilePath& path, const std::vector<ImagePanel>& panels,
                                   const ImagePanelOptions& options = {});

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <algorithm>

namespace stipple::detail {

// The data block $image, a line "x y red green blue" for each pixel.
inline std::string image_block(const Tensor<std::uint8_t>& image) {
  std::string block = "$image << EOD\n";
  Index const channels = image.dim(2);
  for (Index i = 0; i < image.dim(0) * image.dim(1); ++i) {
    block += std::to_string(i % image.dim(1)) + " " + std::to_string(i / image.dim(1));
    for (Index c = 0; c < 3; ++c) block += " " + std::to_string(image.data()[i * channels + std::min(c, channels - 1)]);
    block += "\n";
  }
  return block + "EOD\n";
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE void plot_images(const FilePath& path, const std::vector<ImagePanel>& panels,
                                   const ImagePanelOptions& options) {
  constexpr int gap = 6, most = 4096;
  require(!panels.empty(), "plot_images: given no images");
  require(options.columns >= 0 && options.scale >= 1 && options.scale <= most && options.title_height >= 0 &&
              options.title_height <= most,
          "plot_images: given ", options.columns, " columns, scale ", options.scale, " and title_height ",
          options.title_height, ", wanted neither negative nor huge");
  Shape const shape = panels.front().image.shape();
  require(shape.rank() == 3 && (shape[2] == 1 || shape[2] == 3) && shape[0] >= 2 && shape[0] <= most && shape[1] >= 2 &&
              shape[1] <= most,
          "plot_images: given shape ", shape, ", wanted (H, W, 1) or (H, W, 3) of 2 to ", most, " pixels a side");
  auto const count = static_cast<int>(panels.size());
  int const columns = options.columns == 0 ? count : std::min(count, options.columns);
  int const rows = (count + columns - 1) / columns;
  auto const image_height = static_cast<int>(shape[0]) * options.scale;
  auto const image_width = static_cast<int>(shape[1]) * options.scale;
  int const pitch_y = image_height + options.title_height + gap, pitch_x = image_width + gap;
  int const height = std::max(100, rows * pitch_y + gap), width = std::max(100, columns * pitch_x + gap);
  auto const edge = [](const char* name, double fraction) {
    return std::string("set ") + name + "margin at screen " + gnuplot_number(fraction) + "\n";
  };
  std::string script = "unset tics\nunset key\nunset border\nset autoscale fix\nset yrange [*:*] reverse\n";
  script += "set title offset 0,-0.5\nset multiplot\n";
  for (int i = 0; i < count; ++i) {
    auto const& panel = panels[static_cast<std::size_t>(i)];
    require(panel.image.shape() == shape, "plot_images: given images of shapes ", shape, " and ", panel.image.shape());
    double const left = gap + i % columns * pitch_x, top = i / columns * pitch_y + options.title_height + gap;
    script += edge("l", left / width) + edge("r", (left + image_width) / width);
    script += edge("t", 1 - top / height) + edge("b", 1 - (top + image_height) / height);
    script += detail::image_block(panel.image) + "set title " + gnuplot_string(panel.title) + "\n";
    script += "plot $image using 1:2:3:4:5 with rgbimage\n";
  }
  write_atomically(path, run_gnuplot(script + "unset multiplot\n", width, height));
}

}  // namespace stipple

#endif
