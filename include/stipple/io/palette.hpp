// The at most 256 colours of a GIF, chosen from its frames.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// Up to 256 colours that stand for all pixels of some images, and the map from pixels to them. Images of at most 256
/// colours keep them exactly; otherwise the colours are chosen by median cut (Heckbert 1982) over 5 bits a channel.
class Palette {
 public:
  using Color = std::array<std::uint8_t, 3>;

  /// 256 shades of gray.
  static Palette gray();

  /// Colours for images (..., 3).
  static Palette of(std::span<const Tensor<std::uint8_t>> images);

  const std::vector<Color>& colors() const { return colors_; }

  /// Index of the colour that stands for this pixel of the images.
  std::uint8_t index(const std::uint8_t* pixel) const;

 private:
  static constexpr std::size_t max_colors = 256;

  // All pixels of one value of the upper 5 bits of each channel.
  struct Cell {
    std::size_t id = 0;
    std::array<std::uint64_t, 3> sum{};
    std::uint64_t count = 0;
    int channel(int axis) const { return static_cast<int>(id >> (10 - 5 * axis) & 31); }
  };
  // Consecutive cells that will share a colour.
  struct Box {
    std::span<Cell> cells;
    int axis = 0;              // the channel with the widest range
    std::uint64_t spread = 0;  // range times pixels; 0 for a single cell
    explicit Box(std::span<Cell> given) : cells(given) {
      int widest = 0;
      for (int i = 0; i < 3; ++i) {
        auto const [low, high] = std::minmax_element(
            cells.begin(), cells.end(), [i](const Cell& a, const Cell& b) { return a.channel(i) < b.channel(i); });
        int const range = high->channel(i) - low->channel(i);
        if (range > widest) {
          widest = range;
          axis = i;
        }
      }
      spread = static_cast<std::uint64_t>(widest) * count();
    }
    std::uint64_t count() const {
      return std::accumulate(cells.begin(), cells.end(), std::uint64_t{0},
                             [](std::uint64_t sum, const Cell& cell) { return sum + cell.count; });
    }
  };

  static std::size_t cell(const std::uint8_t* pixel);

  // False once there are more colours than a palette holds.
  bool take_exact(std::span<const Tensor<std::uint8_t>> images);

  void cut(std::span<const Tensor<std::uint8_t>> images);

  // At the median pixel of the widest channel; both parts have at least one cell.
  static std::pair<Box, Box> split(const Box& box);

  static Color mean(const Box& box);

  std::vector<Color> colors_;
  std::vector<std::uint8_t> cell_color_;  // by cell; empty where colours are exact and sorted
};

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_IO_INLINE Palette Palette::gray() {
  Palette palette;
  for (int i = 0; i < 256; ++i) {
    auto const shade = static_cast<std::uint8_t>(i);
    palette.colors_.push_back({shade, shade, shade});
  }
  return palette;
}

STIPPLE_IO_INLINE Palette Palette::of(std::span<const Tensor<std::uint8_t>> images) {
  Palette palette;
  if (!palette.take_exact(images)) palette.cut(images);
  return palette;
}

STIPPLE_IO_INLINE std::uint8_t Palette::index(const std::uint8_t* pixel) const {
  if (!cell_color_.empty()) return cell_color_[cell(pixel)];
  Color const color{pixel[0], pixel[1], pixel[2]};
  return static_cast<std::uint8_t>(std::lower_bound(colors_.begin(), colors_.end(), color) - colors_.begin());
}

STIPPLE_IO_INLINE std::size_t Palette::cell(const std::uint8_t* pixel) {
  return static_cast<std::size_t>(pixel[0] >> 3) << 10 | static_cast<std::size_t>(pixel[1] >> 3) << 5 |
         static_cast<std::size_t>(pixel[2] >> 3);
}

STIPPLE_IO_INLINE bool Palette::take_exact(std::span<const Tensor<std::uint8_t>> images) {
  for (auto const& image : images) {
    for (Index i = 0; i < image.size(); i += 3) {
      const std::uint8_t* const pixel = image.data() + i;
      Color const color{pixel[0], pixel[1], pixel[2]};
      auto const place = std::lower_bound(colors_.begin(), colors_.end(), color);
      if (place != colors_.end() && *place == color) continue;
      if (colors_.size() == max_colors) return false;
      colors_.insert(place, color);
    }
  }
  return true;
}

STIPPLE_IO_INLINE void Palette::cut(std::span<const Tensor<std::uint8_t>> images) {
  std::vector<Cell> cells(32 * 32 * 32);
  for (std::size_t id = 0; id < cells.size(); ++id) cells[id].id = id;
  for (auto const& image : images) {
    for (Index i = 0; i < image.size(); i += 3) {
      auto& hit = cells[cell(image.data() + i)];
      for (std::size_t axis = 0; axis < 3; ++axis) hit.sum[axis] += image.data()[i + static_cast<Index>(axis)];
      ++hit.count;
    }
  }
  std::erase_if(cells, [](const Cell& candidate) { return candidate.count == 0; });

  std::vector<Box> boxes{Box(cells)};
  while (boxes.size() < max_colors) {
    auto const widest =
        std::max_element(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.spread < b.spread; });
    if (widest->spread == 0) break;
    auto const [lower, upper] = split(*widest);
    *widest = lower;
    boxes.push_back(upper);
  }

  colors_.clear();
  cell_color_.assign(32 * 32 * 32, 0);
  for (auto const& box : boxes) {
    for (auto const& member : box.cells) cell_color_[member.id] = static_cast<std::uint8_t>(colors_.size());
    colors_.push_back(mean(box));
  }
}

STIPPLE_IO_INLINE std::pair<Palette::Box, Palette::Box> Palette::split(const Box& box) {
  auto const cells = box.cells;
  std::sort(cells.begin(), cells.end(), [axis = box.axis](const Cell& a, const Cell& b) {
    return std::pair(a.channel(axis), a.id) < std::pair(b.channel(axis), b.id);
  });
  std::uint64_t const half = box.count() / 2;
  std::uint64_t before = cells.front().count;
  std::size_t middle = 1;
  while (middle + 1 < cells.size() && before < half) before += cells[middle++].count;
  return {Box(cells.first(middle)), Box(cells.subspan(middle))};
}

STIPPLE_IO_INLINE Palette::Color Palette::mean(const Box& box) {
  Color color{};
  std::uint64_t const count = box.count();
  for (std::size_t axis = 0; axis < 3; ++axis) {
    std::uint64_t sum = count / 2;  // rounds the quotient
    for (auto const& member : box.cells) sum += member.sum[axis];
    color[axis] = static_cast<std::uint8_t>(sum / count);
  }
  return color;
}

}  // namespace stipple

#endif
