// Images in a folder a class, as AFHQ and many other sets are published: FOLDER/cat/*.jpg, FOLDER/dog/*.jpg, ...
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/data/dataset.hpp>
#include <stipple/data/resample.hpp>
#include <stipple/io/file.hpp>

namespace stipple::data {

/// The files below `folder` that are named .jpg, .jpeg or .png (in any case), sorted; hidden ones are passed over.
/// Throws Error if there is no such folder, or it cannot be read.
STIPPLE_IO_INLINE std::vector<FilePath> list_images(const FilePath& folder);

/// What becomes of files that cannot be read.
enum class Damaged { refuse, skip };

struct ImageFolderOptions {
  Index height = 64, width = 64;  ///< that every image gets
  Resampling filter = Resampling::bilinear;
  Index max_per_class = 0;  ///< as many of the sorted files of each class, damaged ones included; 0: all
  Damaged damaged = Damaged::refuse;
  std::function<void(Index done, Index total)> progress{};  ///< called now and then with the number of files
};

/// Images of classes. Those of class i have the label i + 1: 0 stands for no class.
struct ImageFolder {
  ImageDataset dataset;
  std::vector<std::string> classes;  ///< sorted
  std::vector<FilePath> files;       ///< one an image
  std::vector<std::string> damaged;  ///< a sentence for each file that was skipped
};

/// Reads all images of all classes, every one in colour and at the same size; a class is a subfolder of `folder` that
/// is not hidden. Files are decoded in parallel; order and pixels do not depend on that. Throws Error if there is no
/// such folder or no class in it, if a class has no images, and for a damaged file unless they are to be skipped.
STIPPLE_IO_INLINE ImageFolder image_folder(const FilePath& folder, const ImageFolderOptions& options = {});

}  // namespace stipple::data

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <algorithm>
#include <cctype>

#include <stipple/io/read_image.hpp>

namespace stipple::data::detail {

using stipple::detail::quoted;

inline bool is_hidden(const FilePath& path) { return path.filename().string().starts_with("."); }

inline bool is_named_as_image(const FilePath& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

/// The names of the folders in `folder` that are not hidden, sorted.
inline std::vector<std::string> list_classes(const FilePath& folder) {
  std::vector<std::string> names;
  std::error_code error, unknown;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    if (!is_hidden(entry->path()) && entry->is_directory(unknown)) names.push_back(entry->path().filename().string());
  require(!error, "image_folder: cannot read the folder ", quoted(folder), ": ", error.message());
  require(!names.empty(), "image_folder: ", quoted(folder), " has no folders, wanted one for the images of each class");
  std::sort(names.begin(), names.end());
  return names;
}

/// The pixels of a file as (height, width, 3).
inline Tensor<std::uint8_t> read_resized(const FilePath& path, const ImageFolderOptions& options) {
  auto const image = resampled(read_image(path), options.height, options.width, options.filter);
  if (image.dim(2) == 3) return image;
  Tensor<std::uint8_t> color(image.shape().with(2, 3));
  for (Index i = 0; i < color.size(); ++i) color.data()[i] = image.data()[i / 3];
  return color;
}

/// Reads files [begin, end) to their places in `images`; returns a sentence for each file, empty where it was read.
inline std::vector<std::string> read_files(const std::vector<FilePath>& files, Index begin, Index end,
                                           const ImageFolderOptions& options, Tensor<std::uint8_t>& images) {
  std::vector<std::string> errors(static_cast<std::size_t>(end - begin));
  parallel_for(end - begin, 1, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) try {
        auto const image = read_resized(files[static_cast<std::size_t>(begin + i)], options);
        images.slice(begin + i, begin + i + 1).copy_from(image.reshape(images.shape().with(0, 1)));
      } catch (const Error& error) {
        errors[static_cast<std::size_t>(i)] = error.what();
      }
  });
  return errors;
}

}  // namespace stipple::data::detail

namespace stipple::data {

STIPPLE_IO_INLINE std::vector<FilePath> list_images(const FilePath& folder) {
  std::vector<FilePath> files;
  std::error_code error, unknown;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    bool const is_folder = entry->is_directory(unknown);
    if (detail::is_hidden(entry->path()))
      entry.disable_recursion_pending();
    else if (!is_folder && detail::is_named_as_image(entry->path()))
      files.push_back(entry->path());
  }
  require(!error, "list_images: cannot read the folder ", detail::quoted(folder), ": ", error.message());
  std::sort(files.begin(), files.end());
  return files;
}

STIPPLE_IO_INLINE ImageFolder image_folder(const FilePath& folder, const ImageFolderOptions& options) {
  ImageFolder result;
  result.classes = detail::list_classes(folder);
  std::vector<FilePath> files;
  std::vector<std::int32_t> labels;
  for (auto const& name : result.classes) {
    auto of_class = list_images(folder / name);
    require(!of_class.empty(), "image_folder: ", detail::quoted(folder / name), " holds no .jpg, .jpeg or .png file");
    if (options.max_per_class > 0 && static_cast<Index>(of_class.size()) > options.max_per_class)
      of_class.resize(static_cast<std::size_t>(options.max_per_class));
    files.insert(files.end(), of_class.begin(), of_class.end());
    labels.resize(files.size(), labels.empty() ? 1 : labels.back() + 1);
  }
  constexpr Index chunk = 256;  // files after which progress is told and damage ends the work
  Index const total = static_cast<Index>(files.size());
  Tensor<std::uint8_t> images({total, options.height, options.width, 3});
  Index kept = 0;  // images that were read so far; they move up to the front
  for (Index begin = 0; begin < total; begin += chunk) {
    Index const end = std::min(begin + chunk, total);
    auto const errors = detail::read_files(files, begin, end, options, images);
    for (Index i = begin; i < end; ++i) {
      auto const from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(kept);
      auto const& error = errors[static_cast<std::size_t>(i - begin)];
      if (!error.empty()) {
        require(options.damaged == Damaged::skip,
                "image_folder: given a damaged file and no leave to skip it: ", error);
        result.damaged.push_back(error);
        continue;
      }
      images.slice(kept, kept + 1).copy_from(images.slice(i, i + 1));
      labels[to] = labels[from];
      result.files.push_back(files[from]);
      ++kept;
    }
    if (options.progress) options.progress(end, total);
  }
  labels.resize(static_cast<std::size_t>(kept));
  for (std::size_t i = 0; i < result.classes.size(); ++i)
    if (std::find(labels.begin(), labels.end(), static_cast<std::int32_t>(i + 1)) == labels.end())
      fail("image_folder: all images of ", detail::quoted(folder / result.classes[i]),
           " are damaged, the first of all: ", result.damaged.front());
  result.dataset = {images.slice(0, kept), Tensor<std::int32_t>({kept}, std::span<const std::int32_t>(labels))};
  return result;
}

}  // namespace stipple::data

#endif
