// The images that `afhq prepare` leaves and `afhq train` reads: one file with all pixels, labels and names.
#pragma once

#include <string>
#include <vector>

#include <stipple/data/image_folder.hpp>
#include <stipple/io/safetensors.hpp>

namespace afhq {

namespace st = stipple;

struct Prepared {
  st::ImageDataset dataset;          ///< (N, H, W, 3), labels 1 ... classes
  std::vector<std::string> classes;  ///< names, in the order of their labels
};

inline st::FilePath prepared_path(const st::FilePath& folder) { return folder / "train.safetensors"; }

/// Writes the images and what became of them, all at once. `settings` says how they were made.
inline void write_prepared(const st::FilePath& path, const st::data::ImageFolder& folder, st::Json settings) {
  std::string names;  // bytes, because names of files need not be text
  for (auto const& file : folder.files) names += file.string() + '\n';
  std::span<const std::uint8_t> const bytes(reinterpret_cast<const std::uint8_t*>(names.data()), names.size());
  settings["classes"] = folder.classes;
  st::SafetensorsWriter writer;
  writer.metadata("afhq_images", st::dump_json(settings));
  writer.add("images", folder.dataset.images);
  writer.add("labels", folder.dataset.labels);
  writer.add("files", st::Tensor<std::uint8_t>({static_cast<st::Index>(bytes.size())}, bytes));
  writer.write(path);
}

/// Throws Error if there is no such file in the folder, or it is something else.
inline Prepared read_prepared(const st::FilePath& folder) {
  st::require(!folder.empty(), "--data: wanted the folder that `afhq prepare` made");
  auto const path = prepared_path(folder);
  std::error_code error;
  st::require(std::filesystem::exists(path, error), "--data: given '", folder.string(), "' without ",
              path.filename().string(), "; `afhq prepare IMAGES ", folder.string(),
              "` makes it from a folder of images");
  st::SafetensorsFile const file(path);
  auto const settings = file.metadata().find("afhq_images");
  st::require(settings != file.metadata().end(), "--data: '", path.string(), "' is not of afhq prepare");
  Prepared result{{file.read<std::uint8_t>("images"), file.read<std::int32_t>("labels")}, {}};
  auto const json = st::parse_json(settings->second, path.string());
  for (auto const& name : st::get_array(json, "classes", path.string()))
    result.classes.push_back(name.get<std::string>());
  result.dataset.check();
  return result;
}

}  // namespace afhq
