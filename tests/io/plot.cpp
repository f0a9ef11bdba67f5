#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include <stipple/io/plot.hpp>
#include <stipple/io/read_png.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

/// Where pixels of nearly this colour are, in a part of a picture.
struct Extent {
  Index left = std::numeric_limits<Index>::max(), right = -1, top = left, bottom = -1, count = 0;
  Index width() const { return right - left; }
  Index height() const { return bottom - top; }
};

Extent find_color(const Tensor<std::uint8_t>& image, std::uint32_t color, Index first_column = 0,
                  Index last_column = std::numeric_limits<Index>::max()) {
  Extent extent;
  for (Index y = 0; y < image.dim(0); ++y) {
    for (Index x = first_column; x < std::min(last_column, image.dim(1)); ++x) {
      const std::uint8_t* const pixel = image.data() + (y * image.dim(1) + x) * image.dim(2);
      bool near = true;
      for (int i = 0; i < 3; ++i) near = near && std::abs(pixel[i] - static_cast<int>(color >> (16 - 8 * i) & 255)) < 8;
      if (!near) continue;
      extent.left = std::min(extent.left, x);
      extent.right = std::max(extent.right, x);
      extent.top = std::min(extent.top, y);
      extent.bottom = std::max(extent.bottom, y);
      ++extent.count;
    }
  }
  return extent;
}

constexpr std::uint32_t magenta = 0xff00ff, green = 0x00c000;

PointSet corners(std::uint32_t color, float x = 1, float y = 1) {
  return {.label = "",
          .points = Tensor<float>({4, 2}, {-x, -y, x, -y, -x, y, x, y}),
          .color = color,
          .opacity = 1,
          .size = 1};
}

}  // namespace

TEST_CASE("curves are drawn in their colours and size") {
  ScratchFolder const folder;
  auto const path = folder / "curves.png";
  plot_curves(path, "Loss curve", "step", "loss",
              {{.label = "train", .x = {0, 1, 2}, .y = {0, 1, 0}, .color = magenta},
               {.label = "validation", .x = {0, 2}, .y = {0.25, 0.25}, .color = green, .dashed = true}},
              {.width = 640, .height = 400});
  auto const image = read_png(path);
  REQUIRE(image.shape() == Shape{400, 640, 3});
  REQUIRE(find_color(image, magenta).count > 300);
  REQUIRE(find_color(image, magenta).height() > 200);
  REQUIRE(find_color(image, green).count > 100);
  REQUIRE(find_color(image, green).count < find_color(image, magenta).count);  // dashed
}

TEST_CASE("missing values leave a gap, and logarithmic axes skip what they cannot show") {
  ScratchFolder const folder;
  std::vector<double> x(1000), y(1000, 1.0);
  for (std::size_t i = 0; i < 1000; ++i) x[i] = static_cast<double>(i);
  auto const drawn = [&](const CurveOptions& options) {
    plot_curves(folder / "gap.png", "", "", "", {{.label = "", .x = x, .y = y, .color = magenta}}, options);
    return find_color(read_png(folder / "gap.png"), magenta).count;
  };
  auto const whole = drawn({});
  std::fill_n(y.begin() + 250, 500, NAN);
  auto const gap = drawn({});
  REQUIRE(gap > whole / 3);
  REQUIRE(gap < whole * 2 / 3);
  std::fill_n(y.begin() + 250, 500, -1.0);
  auto const logarithmic = drawn({.log_y = true});
  REQUIRE(logarithmic > whole / 3);
  REQUIRE(logarithmic < whole * 2 / 3);
}

TEST_CASE("one unit is as long on both axes, unless told otherwise") {
  ScratchFolder const folder;
  auto const path = folder / "points.png";
  plot_scatter(path, "Target", {corners(magenta, 2, 1)}, {.width = 900, .height = 400});
  auto extent = find_color(read_png(path), magenta);
  REQUIRE(extent.count > 20);
  REQUIRE(std::abs(static_cast<double>(extent.width()) / static_cast<double>(extent.height()) - 2) < 0.1);
  plot_scatter(path, "Target", {corners(magenta, 2, 1)}, {.width = 900, .height = 400, .equal_axes = false});
  extent = find_color(read_png(path), magenta);
  REQUIRE(static_cast<double>(extent.width()) / static_cast<double>(extent.height()) > 2.3);
}

TEST_CASE("a given range is kept, and opacity lightens") {
  ScratchFolder const folder;
  auto const path = folder / "points.png";
  plot_scatter(path, "", {corners(magenta)}, {.range = 2});
  auto const half = find_color(read_png(path), magenta);
  plot_scatter(path, "", {corners(magenta)}, {.range = 1.1});
  REQUIRE(find_color(read_png(path), magenta).width() > half.width() * 3 / 2);
  auto faint = corners(magenta);
  faint.opacity = 0.1;
  plot_scatter(path, "", {faint}, {.range = 2});
  REQUIRE(find_color(read_png(path), magenta).count == 0);
  REQUIRE(find_color(read_png(path), 0xffe6ff).count > 20);  // a tenth of it over white
}

TEST_CASE("labels make a legend") {
  ScratchFolder const folder;
  auto set = corners(magenta);
  plot_scatter(folder / "without.png", "", {set});
  set.label = "samples";
  plot_scatter(folder / "with.png", "", {set});
  REQUIRE(find_color(read_png(folder / "with.png"), magenta).count >
          find_color(read_png(folder / "without.png"), magenta).count);
}

TEST_CASE("panels stand in rows and share their range") {
  ScratchFolder const folder;
  auto const path = folder / "panels.png";
  std::vector<ScatterPanel> panels{
      {"t = 0", {corners(magenta)}}, {"t = 50", {corners(green, 2, 2)}}, {"t = 100", {corners(magenta)}}};
  plot_panels(path, panels, {.width = 300, .height = 300});
  auto image = read_png(path);
  REQUIRE(image.shape() == Shape{300, 900, 3});
  auto const first = find_color(image, magenta, 0, 300), second = find_color(image, green, 300, 600);
  REQUIRE(find_color(image, magenta, 600, 900).count == first.count);
  REQUIRE(std::abs(static_cast<double>(second.width()) / static_cast<double>(first.width()) - 2) < 0.15);
  panels.push_back(panels[1]);
  plot_panels(path, panels, {.width = 200, .height = 200, .ticks = false, .columns = 2});
  image = read_png(path);
  REQUIRE(image.shape() == Shape{400, 400, 3});
  REQUIRE(find_color(image, magenta).right < 200);
  REQUIRE(find_color(image, green).left > 200);
}

TEST_CASE("points that are not finite are left out") {
  ScratchFolder const folder;
  auto set = corners(magenta);
  set.points.data()[0] = NAN;
  set.points.data()[3] = INFINITY;
  plot_scatter(folder / "points.png", "", {set});
  REQUIRE(find_color(read_png(folder / "points.png"), magenta).count > 10);
  PointSet const single{.label = "", .points = Tensor<float>({1, 2}, {3.0f, 3.0f}), .color = magenta, .opacity = 1};
  plot_scatter(folder / "single.png", "", {single});
  REQUIRE(find_color(read_png(folder / "single.png"), magenta).count > 3);
}

TEST_CASE("texts are shown, never run") {
  ScratchFolder const folder;
  REQUIRE(gnuplot_string("it's 50 %\n\"é\"") == "\"it\\047s \\065\\060 \\045 \\042é\\042\"");
  auto const trap = (folder / "trap").string();
  for (auto const& text : {"`touch " + trap + "`", "$(touch " + trap + ")", "' ; system('touch " + trap + "') #",
                           "'' ; system 'touch " + trap + "' #", "\" ; system(\"touch " + trap + "\") #",
                           "\\\" ; system(\"touch " + trap + "\") #", "'\nsystem 'touch " + trap + "'\n",
                           "\nEOD\n! touch " + trap + "\n", std::string("@x {/Bold _^ \\"), std::string("a\0b", 3)}) {
    INFO(text);
    plot_curves(folder / "plot.png", text, text, text, {{.label = text, .x = {0, 1}, .y = {0, 1}}});
    plot_panels(folder / "plot.png", {{text, {{.label = text, .points = corners(magenta).points}}}});
    REQUIRE_FALSE(std::filesystem::exists(trap));
  }
}

TEST_CASE("plots of nothing are refused, and the old file kept") {
  ScratchFolder const folder;
  auto const path = folder / "plot.png";
  put_bytes(path, "old");
  auto const curves = [&](std::vector<Curve> const& given, CurveOptions const& options = {}) {
    plot_curves(path, "", "", "", given, options);
  };
  require_error([&] { curves({}); }, "no finite value");
  require_error([&] { curves({{.label = "", .x = {1}, .y = {NAN}}}); }, "no finite value");
  require_error([&] { curves({{.label = "", .x = {1}, .y = {-1}}}, {.log_y = true}); }, "no finite value");
  require_error(
      [&] {
        curves({{.label = "loss", .x = {1, 2}, .y = {1}}});
      },
      "given 2 values of x and 1 of y for curve 'loss'");
  require_error([&] { curves({{.label = "", .x = {1}, .y = {1}}}, {.width = 10}); }, "given 10 x 500 pixels");
  require_error([&] { plot_panels(path, {}); }, "given no panels");
  require_error([&] { plot_scatter(path, "a", {}); }, "given panel 'a' without points");
  require_error(
      [&] {
        plot_scatter(path, "", {{.label = "", .points = Tensor<float>({2, 3}, 1.0f)}});
      },
      "shape (2, 3)");
  require_error([&] { plot_scatter(path, "", {{.label = "", .points = Tensor<float>()}}); }, "wanted (N, 2)");
  require_error(
      [&] {
        plot_scatter(path, "", {{.label = "", .points = Tensor<float>({1, 2}, NAN)}});
      },
      "no finite point");
  auto wrong = corners(magenta);
  wrong.opacity = 1.5;
  require_error([&] { plot_scatter(path, "", {wrong}); }, "given opacity 1.5");
  require_error([&] { plot_scatter(folder / "missing/a.png", "", {corners(magenta)}); }, "missing/a.png");
  require_error([&] { run_gnuplot("plot nonsense(", 200, 200); }, "gnuplot failed: ");
  require_error([&] { run_gnuplot("set title 'nothing drawn'", 200, 200); }, "gnuplot failed");
  REQUIRE(bytes_of(path) == "old");
}

TEST_CASE("without gnuplot the package is named, and the old file kept") {
  ScratchFolder const folder;
  put_bytes(folder / "plot.png", "old");
  std::string const before = std::getenv("PATH");
  setenv("PATH", folder.path().c_str(), 1);
  require_error([&] { plot_scatter(folder / "plot.png", "", {corners(magenta)}); }, "gnuplot-nox");
  setenv("PATH", before.c_str(), 1);
  REQUIRE(bytes_of(folder / "plot.png") == "old");
}
