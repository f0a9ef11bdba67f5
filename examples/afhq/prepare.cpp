// afhq prepare: a folder of images of any size to the files that training and evaluation read.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>

#include <stipple/io/image.hpp>
#include <stipple/train/progress.hpp>

#include "afhq/options.hpp"
#include "afhq/prepared.hpp"

namespace afhq {

namespace {

bool is_folder(const st::FilePath& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

// The folder that holds train/: the given one, or afhq/ in it, as the published archive unpacks.
st::FilePath find_root(const st::FilePath& given) {
  for (auto const& root : {given, given / "afhq"})
    if (is_folder(root / "train")) return root;
  st::fail("prepare: given '", given.string(), "', wanted a folder with train/CLASS/*.jpg or .png, and val/ or test/");
}

st::data::ImageFolder read_split(const Options& options, const st::FilePath& folder, const std::string& filter,
                                 st::Index max_per_class) {
  std::optional<st::Progress> progress;
  st::data::ImageFolderOptions settings;
  settings.height = options.image_height;
  settings.width = options.image_width;
  settings.filter = st::resampling_by_name(filter);
  settings.max_per_class = max_per_class;
  settings.damaged = options.damaged == "skip" ? st::data::Damaged::skip : st::data::Damaged::refuse;
  settings.progress = [&](st::Index done, st::Index total) {
    if (!progress) progress.emplace(0, total, options.quiet);
    progress->update(done, std::numeric_limits<double>::quiet_NaN());
  };
  auto set = st::data::image_folder(folder, settings);
  progress.reset();
  for (auto const& sentence : set.damaged) std::fprintf(stderr, "skipped: %s\n", sentence.c_str());
  return set;
}

// cat_00000.png, cat_00001.png, ..., dog_00000.png, ...
std::vector<std::string> evaluation_names(const st::data::ImageFolder& set) {
  std::vector<std::string> names;
  std::vector<int> counts(set.classes.size());
  for (std::int32_t const label : set.dataset.labels.span()) {
    auto const of = static_cast<std::size_t>(label - 1);
    char number[16];
    std::snprintf(number, sizeof number, "_%05d.png", counts[of]++);
    names.push_back(set.classes[of] + number);
  }
  return names;
}

// One file an image. What else is in the folder would count as real images too, so it must not be there.
void write_evaluation_folder(const st::FilePath& folder, const st::data::ImageFolder& set) {
  example::make_folder(folder);
  auto const names = evaluation_names(set);
  for (auto const& file : st::data::list_images(folder))
    st::require(std::find(names.begin(), names.end(), file.filename().string()) != names.end(), "prepare: '",
                file.string(), "' is not of this set; remove it, or choose another folder");
  auto const& images = set.dataset.images;
  for (st::Index i = 0; i < set.dataset.size(); ++i)
    st::write_png(folder / names[static_cast<std::size_t>(i)],
                  images.slice(i, i + 1).reshape({images.dim(1), images.dim(2), images.dim(3)}));
}

// Up to eight images of each class, a row each.
void write_overview(const st::FilePath& path, const st::data::ImageFolder& set) {
  constexpr st::Index columns = 8;
  auto const& images = set.dataset.images;
  st::Tensor<std::uint8_t> grid(images.shape().with(0, columns * static_cast<st::Index>(set.classes.size())),
                                std::uint8_t{0});
  std::vector<st::Index> counts(set.classes.size());
  for (st::Index i = 0; i < set.dataset.size(); ++i) {
    auto const row = static_cast<std::size_t>(set.dataset.labels.data()[i] - 1);
    if (counts[row] == columns) continue;
    st::Index const to = static_cast<st::Index>(row) * columns + counts[row]++;
    grid.slice(to, to + 1).copy_from(images.slice(i, i + 1));
  }
  st::write_grid(path, grid, {.columns = columns});
}

}  // namespace

int prepare(const Options& options) {
  auto const root = find_root(options.images);
  st::FilePath const out = options.out;
  example::make_folder(out);
  auto const training = read_split(options, root / "train", options.filter, options.max_per_class);
  auto const evaluation = is_folder(root / "val") ? root / "val" : root / "test";
  st::Index evaluated = 0;
  if (is_folder(evaluation)) {
    auto const set = read_split(options, evaluation, options.evaluation_filter, 0);
    write_evaluation_folder(out / "eval", set);
    evaluated = set.dataset.size();
  }
  write_overview(out / "train.png", training);
  write_prepared(prepared_path(out), training,
                 st::Json::object({{"filter", options.filter}, {"max_per_class", options.max_per_class}}));
  std::string classes;
  for (auto const& name : training.classes) classes += (classes.empty() ? "" : ", ") + name;
  std::printf("%lld images of %zu classes (%s) at %lld x %lld are in %s\n",
              static_cast<long long>(training.dataset.size()), training.classes.size(), classes.c_str(),
              static_cast<long long>(options.image_height), static_cast<long long>(options.image_width),
              prepared_path(out).c_str());
  if (evaluated > 0)
    std::printf("%lld images to evaluate with are in %s\n", static_cast<long long>(evaluated), (out / "eval").c_str());
  else
    std::printf("There is no val/ or test/ in %s: no images to evaluate with\n", root.c_str());
  return 0;
}

}  // namespace afhq
