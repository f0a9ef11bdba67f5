// Where MNIST and Fashion-MNIST are found.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <stipple/data/idx.hpp>

namespace example {

namespace st = stipple;

/// The folders in which the data set `name` is looked for: `given` and its subfolder `name` if it is not empty; else
/// those of the library (among them $STIPPLE_DATA and the distribution's folder) and that of scripts/get-data.
inline std::vector<st::FilePath> candidate_folders(const std::string& name, const std::string& given) {
  if (!given.empty()) return {given, st::FilePath(given) / name};
  auto folders = st::data::search_path(name);
  const char* const data_home = std::getenv("XDG_DATA_HOME");
  const char* const home = std::getenv("HOME");
  if (data_home != nullptr && *data_home != '\0')
    folders.push_back(st::FilePath(data_home) / "stipple" / name);
  else if (home != nullptr)
    folders.push_back(st::FilePath(home) / ".local/share/stipple" / name);
  return folders;
}

/// One split of the data set `name`. Throws Error that names scripts/get-data if it is nowhere, and others if it is
/// broken.
inline st::ImageDataset idx_images(const std::string& name, const std::string& given,
                                   st::data::Split split = st::data::Split::train) {
  std::string tried;
  for (auto const& folder : candidate_folders(name, given)) {
    std::error_code error;
    for (const char* const file : {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"})
      if (std::filesystem::exists(folder / file, error)) return st::data::idx(folder.string(), split);
    tried += (tried.empty() ? "'" : ", '") + folder.string() + "'";
  }
  st::fail("no train-images-idx3-ubyte, plain or .gz, in ", tried, "; scripts/get-data ", name,
           " finds or fetches the data and prints the folder for --data");
}

/// What --help says of --data.
inline std::string idx_help(const std::string& name) {
  return "Folder of the four IDX files, plain or .gz; without it $STIPPLE_DATA/" + name + ", data/" + name +
         ", the distribution's folder and that of scripts/get-data";
}

}  // namespace example
