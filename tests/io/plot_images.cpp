// Images side by side: every pixel where it belongs, a title above.
#include <stipple/io/plot_images.hpp>
#include <stipple/io/read_png.hpp>

#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

/// Dark pixels in rows [top, bottom) of a picture.
Index dark_pixels(const Tensor<std::uint8_t>& picture, Index top, Index bottom) {
  Index count = 0;
  for (Index i = top * picture.dim(1); i < bottom * picture.dim(1); ++i)
    count += picture.data()[i * picture.dim(2)] < 128;
  return count;
}

}  // namespace

TEST_CASE("plot_images: pixels at their places and in their shades") {
  ScratchFolder const folder;
  auto const path = folder / "images.png";
  Tensor<std::uint8_t> const gray({2, 3, 1}, {0, 50, 100, 150, 200, 250});
  plot_images(path, {{"t=0", gray}, {"", gray}, {"t=20", gray}}, {.columns = 2, .scale = 40, .title_height = 20});
  auto const picture = read_png(path);
  REQUIRE(picture.shape() == Shape{2 * (20 + 80 + 6) + 6, 2 * (120 + 6) + 6, 3});
  for (Index panel = 0; panel < 3; ++panel)
    for (Index i = 0; i < 6; ++i) {
      Index const y = panel / 2 * 106 + 26 + i / 3 * 40 + 20, x = panel % 2 * 126 + 6 + i % 3 * 40 + 20;
      INFO("panel " << panel << ", pixel " << i);
      for (Index c = 0; c < 3; ++c)
        CHECK(std::abs(picture.data()[(y * picture.dim(1) + x) * 3 + c] - gray.data()[i]) <= 1);
    }
  CHECK(dark_pixels(picture, 0, 24) > 10);  // the title
}

TEST_CASE("plot_images: colour, and what it cannot draw") {
  ScratchFolder const folder;
  auto const path = folder / "images.png";
  Tensor<std::uint8_t> const red({2, 2, 3}, {255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0});
  plot_images(path, {{"red", red}}, {.scale = 50});
  auto const picture = read_png(path);
  const std::uint8_t* const middle = picture.data() + (76 * picture.dim(1) + 56) * 3;
  CHECK(middle[0] > 250);
  CHECK(middle[1] < 5);
  CHECK_THROWS_AS(plot_images(path, {}), Error);
  CHECK_THROWS_AS(plot_images(path, {{"", red}, {"", Tensor<std::uint8_t>({2, 2, 1}, std::uint8_t{0})}}), Error);
  CHECK_THROWS_AS(plot_images(path, {{"", Tensor<std::uint8_t>({2, 2})}}), Error);
  CHECK_THROWS_AS(plot_images(path, {{"", Tensor<std::uint8_t>({1, 2, 1}, std::uint8_t{0})}}), Error);
  CHECK_THROWS_AS(plot_images(path, {{"", red}}, {.columns = -1}), Error);
}
