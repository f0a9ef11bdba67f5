// Commands of afhq on a few tiny pictures.
#pragma once

#include <stipple/io/image.hpp>

#include "program.hpp"

using Path = std::filesystem::path;

// Classes "cat" and "owl" of `count` pictures each, of different sizes.
inline void write_images(const Path& folder, int count) {
  for (std::string const name : {"cat", "owl"}) {
    std::filesystem::create_directories(folder / name);
    for (int i = 0; i < count; ++i) {
      stipple::Tensor<std::uint8_t> image({9 + i, 14, 3});
      for (stipple::Index j = 0; j < image.size(); ++j)
        image.data()[j] = static_cast<std::uint8_t>(j * (name == "cat" ? 3 : 7) + 11 * i);
      stipple::write_png(folder / name / (std::to_string(i) + ".png"), image);
    }
  }
}

inline std::string afhq(const std::string& command) { return program("afhq") + " " + command; }

// Ten images of 8 x 12 in two classes.
inline Path prepared(const ScratchFolder& folder) {
  write_images(folder / "images/train", 5);
  write_images(folder / "images/val", 2);
  auto const out = folder / "prepared";
  require_success(
      afhq("prepare " + quoted(folder / "images") + " " + quoted(out) + " --image-height 8 --image-width 12 --quiet"));
  return out;
}

inline std::string train(const Path& data, const Path& out, const std::string& options) {
  return afhq("train --data " + quoted(data) + " --out " + quoted(out) +
              " --width 4 --multipliers 1,2 --num-res-blocks 1 --timesteps 10 --batch 4 --quiet " + options);
}

inline std::string sample(const Path& checkpoint, const Path& out, const std::string& options) {
  return afhq("sample --checkpoint " + quoted(checkpoint) + " --out " + quoted(out) + " --quiet " + options);
}

inline std::string all_images(const Path& folder, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += bytes_of(folder / (std::to_string(i) + ".png"));
  return bytes;
}
