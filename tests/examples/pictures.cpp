// The pictures that examples share: gray that shows noise, and leaves finished images as they are.
#include "common/pictures.hpp"

#include <limits>

#include <stipple/io/read_png.hpp>

#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

TEST_CASE("pictures: an image from -1 to 1 keeps its brightness, another one is shown from end to end") {
  Tensor<float> const images({4, 1, 3, 1}, {-1, 0.2f, 0.5f,  // finished
                                            -3, -1, 1,       // darker than black
                                            -1, 1, 7,        // brighter than white
                                            -4, 0, 4});      // noise
  auto const pixels = example::visible_pixels(images);
  CHECK(pixels.shape() == images.shape());
  std::vector<int> const found(pixels.span().begin(), pixels.span().end());
  CHECK(found == std::vector<int>{0, 153, 191, 0, 128, 255, 0, 64, 255, 0, 128, 255});
  auto const plain = to_uint8(images.slice(0, 1));
  CHECK(std::equal(plain.span().begin(), plain.span().end(), pixels.span().begin()));
}

TEST_CASE("pictures: infinite values are black or white, NaN is refused") {
  float const infinity = std::numeric_limits<float>::infinity();
  auto const pixels = example::visible_pixels(Tensor<float>({1, 2, 2, 1}, {-infinity, -3, 1, infinity}));
  CHECK(std::vector<int>(pixels.span().begin(), pixels.span().end()) == std::vector<int>{0, 0, 255, 255});
  require_error([] { example::visible_pixels(Tensor<float>({1, 1, 1, 1}, std::nanf(""))); }, "given NaN");
}

TEST_CASE("pictures: in a history each state has a gray of its own") {
  ScratchFolder const folder;
  Tensor<float> const noise({1, 1, 2, 1}, {-9, 0.5f}), image({1, 1, 2, 1}, {-1, 0});
  example::write_history(folder / "history.png", {noise, image});
  auto const grid = read_png(folder / "history.png");
  auto const pixel = [&](Index column, Index x) {  // of the images, twice their size and with borders of 2
    return static_cast<int>(grid.data()[2 * grid.dim(1) + 2 + column * 6 + 2 * x]);
  };
  CHECK(pixel(0, 0) == 0);
  CHECK(pixel(0, 1) == 242);  // 0.95 of the way from -9 to 1
  CHECK(pixel(1, 0) == 0);
  CHECK(pixel(1, 1) == 128);
}
