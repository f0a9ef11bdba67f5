// MNIST and the data sets of its kind, found by name or folder.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/data/dataset.hpp>
#include <stipple/io/idx.hpp>

namespace stipple::data {

enum class Split { train, test };

/// Folders where `idx` looks for the data set `name`: $STIPPLE_DATA/name, data/name below the current folder, and
/// where Debian's packages put data sets.
STIPPLE_IO_INLINE std::vector<FilePath> search_path(const std::string& name);

/// Images and labels from the four files of MNIST's layout ("train-images-idx3-ubyte", ..., plain or .gz).
/// `name_or_folder` is a folder that holds them, or a name such as "mnist" or "fashion-mnist" that is looked for in
/// `search_path`. Throws Error if there is no such folder, a file is missing or broken, or images and labels differ in
/// number.
STIPPLE_IO_INLINE ImageDataset idx(const std::string& name_or_folder, Split split = Split::train);

}  // namespace stipple::data

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple::data {

STIPPLE_IO_INLINE std::vector<FilePath> search_path(const std::string& name) {
  std::vector<FilePath> folders;
  if (const char* const root = std::getenv("STIPPLE_DATA"); root != nullptr && *root != '\0')
    folders.push_back(FilePath(root) / name);
  folders.push_back(FilePath("data") / name);
  folders.push_back(FilePath("/usr/share/datasets") / name);
  return folders;
}

STIPPLE_IO_INLINE ImageDataset idx(const std::string& name_or_folder, Split split) {
  std::error_code error;
  FilePath folder = name_or_folder;
  if (!std::filesystem::is_directory(folder, error)) {
    require(name_or_folder.find('/') == std::string::npos, "idx: given '", name_or_folder, "', which is no folder");
    std::string tried;
    folder.clear();
    for (auto const& candidate : search_path(name_or_folder)) {
      if (folder.empty() && std::filesystem::is_directory(candidate, error)) folder = candidate;
      tried += (tried.empty() ? "'" : ", '") + candidate.string() + "'";
    }
    require(!folder.empty(), "idx: no data set '", name_or_folder, "' in ", tried,
            "; set STIPPLE_DATA to the folder that holds it");
  }
  std::string const part = split == Split::train ? "train" : "t10k";
  ImageDataset result{read_idx_images(find_idx(folder, part + "-images-idx3-ubyte")),
                      read_idx_labels(find_idx(folder, part + "-labels-idx1-ubyte"))};
  result.check();
  return result;
}

}  // namespace stipple::data

#endif
