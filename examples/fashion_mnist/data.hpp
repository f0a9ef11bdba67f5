// Where Fashion-MNIST is found.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <stipple/data/idx.hpp>

namespace fashion_mnist {

namespace st = stipple;

/// The folders in which the training images are looked for: `given` and its subfolder "fashion-mnist" if it is not
/// empty; else those of the library (among them $STIPPLE_DATA and the distribution's folder) and that of
/// scripts/get-data.
inline std::vector<st::FilePath> candidate_folders(const std::string& given) {
  if (!given.empty()) return {given, st::FilePath(given) / "fashion-mnist"};
  auto folders = st::data::search_path("fashion-mnist");
  const char* const data_home = std::getenv("XDG_DATA_HOME");
  const char* const home = std::getenv("HOME");
  if (data_home != nullptr && *data_home != '\0')
    folders.push_back(st::FilePath(data_home) / "stipple/fashion-mnist");
  else if (home != nullptr)
    folders.push_back(st::FilePath(home) / ".local/share/stipple/fashion-mnist");
  return folders;
}

/// The training split. Throws Error that names scripts/get-data if it is nowhere, and others if it is broken.
inline st::ImageDataset training_images(const std::string& given) {
  std::string tried;
  for (auto const& folder : candidate_folders(given)) {
    std::error_code error;
    for (const char* const name : {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"})
      if (std::filesystem::exists(folder / name, error)) return st::data::idx(folder.string());
    tried += (tried.empty() ? "'" : ", '") + folder.string() + "'";
  }
  st::fail("no train-images-idx3-ubyte, plain or .gz, in ", tried,
           "; scripts/get-data fashion-mnist finds or fetches the data and prints the folder for --data");
}

}  // namespace fashion_mnist
