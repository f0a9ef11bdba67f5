// Data that the example programs read, and pictures that they leave.
#pragma once

#include <gif_lib.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "catch.hpp"
#include "scratch_folder.hpp"

/// Pictures and labels 0, 1, ..., 9, 0, ... in the layout of MNIST; `split` is "train" or "t10k".
inline void write_idx(const std::filesystem::path& folder, const std::string& split, int count, int size) {
  std::filesystem::create_directories(folder);
  auto const header = [](char rank, std::initializer_list<int> extents) {
    std::string bytes{0, 0, 8, rank};
    for (int const extent : extents) bytes += {0, 0, 0, static_cast<char>(extent)};
    return bytes;
  };
  std::string images = header(3, {count, size, size}), labels = header(1, {count});
  for (int i = 0; i < count; ++i) {
    labels += static_cast<char>(i % 10);
    for (int j = 0; j < size * size; ++j) images += static_cast<char>((i * 37 + j * 11) % 256);
  }
  put_bytes(folder / (split + "-images-idx3-ubyte"), images);
  put_bytes(folder / (split + "-labels-idx1-ubyte"), labels);
}

/// Delays of the frames of an animation, in hundredths of a second; requires that all are of this size.
inline std::vector<int> frame_delays(const std::filesystem::path& path, int size) {
  int error = 0;
  GifFileType* const gif = DGifOpenFileName(path.c_str(), &error);
  REQUIRE(gif != nullptr);
  REQUIRE(DGifSlurp(gif) == GIF_OK);
  CHECK(gif->SWidth == size);
  CHECK(gif->SHeight == size);
  std::vector<int> delays;
  for (int i = 0; i < gif->ImageCount; ++i) {
    GraphicsControlBlock control;
    REQUIRE(DGifSavedExtensionToGCB(gif, i, &control) == GIF_OK);
    delays.push_back(control.DelayTime);
  }
  REQUIRE(DGifCloseFile(gif, &error) == GIF_OK);
  return delays;
}
