// afhq evaluate: FID and its kin of a folder of samples against a folder of photographs.
#include <stipple/metrics/evaluate.hpp>

#include <cstdio>
#include <limits>
#include <vector>

#include <stipple/data/image_folder.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/io/read_image.hpp>
#include <stipple/train/progress.hpp>

#include "afhq/options.hpp"
#include "common/feature_network.hpp"

namespace afhq {

namespace {

// Files that are images, read batch by batch; a batch ends early where the next image is of another size.
class FolderImages {
 public:
  FolderImages(std::vector<st::FilePath> files, bool quiet)
      : files_(std::move(files)), progress_(0, static_cast<std::int64_t>(files_.size()), quiet) {}

  st::Tensor<float> next() {
    constexpr std::size_t batch = 32;
    std::vector<st::Tensor<std::uint8_t>> images;
    for (; done_ < files_.size() && images.size() < batch; ++done_) {
      auto const image = waiting_.defined() ? waiting_ : in_color(st::read_image(files_[done_]));
      waiting_ = {};
      if (!images.empty() && image.shape() != images.front().shape()) {
        waiting_ = image;
        break;
      }
      images.push_back(image);
    }
    progress_.update(static_cast<std::int64_t>(done_), std::numeric_limits<double>::quiet_NaN());
    if (images.empty()) return {};
    auto const& shape = images.front().shape();
    auto const n = static_cast<st::Index>(images.size());
    st::Tensor<std::uint8_t> together({n, shape[0], shape[1], shape[2]});
    for (st::Index i = 0; i < n; ++i)
      together.slice(i, i + 1).copy_from(images[static_cast<std::size_t>(i)].reshape(together.shape().with(0, 1)));
    return st::batches_of(together, n)();
  }

 private:
  static st::Tensor<std::uint8_t> in_color(const st::Tensor<std::uint8_t>& image) {
    if (image.dim(2) == 3) return image;
    st::Tensor<std::uint8_t> color(image.shape().with(2, 3));
    for (st::Index i = 0; i < color.size(); ++i) color.data()[i] = image.data()[i / 3];
    return color;
  }

  std::vector<st::FilePath> files_;
  std::size_t done_ = 0;
  st::Tensor<std::uint8_t> waiting_;  // the image at `done_`, if it was read already
  st::Progress progress_;
};

std::vector<st::FilePath> images_in(const std::string& folder) {
  auto files = st::data::list_images(folder);
  st::require(files.size() >= 2, "evaluate: '", folder, "' holds ", files.size(),
              " .jpg, .jpeg or .png files, wanted at least 2");
  return files;
}

st::FeatureSet features_of(const st::FeatureNetwork& network, std::vector<st::FilePath> files, bool quiet) {
  FolderImages images(std::move(files), quiet);
  return st::collect_features(network, [&] { return images.next(); });
}

// The figures that metrics.json holds: one for each feature network and folder of photographs.
st::Json read_figures(const st::FilePath& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return st::Json::array();
  return st::get_array(st::read_json(path), "figures", "'" + path.string() + "'");
}

// The folder as seen from another, so that both can move together.
std::string relative_path(const std::string& folder, const std::string& from) {
  std::error_code error;
  auto const path = std::filesystem::relative(folder, from, error);
  return (error ? st::FilePath(folder) : path).string();
}

// Adds `figure` to those that are there, in place of one by the same network against the same folder.
void write_figure(const st::FilePath& path, const st::Json& figure) {
  auto figures = st::Json::array();
  auto const is_same = [&](const st::Json& other, const char* field) {
    return st::get_string(other, field, "'" + path.string() + "'") == st::get_string(figure, field, "figure");
  };
  for (auto const& other : read_figures(path))
    if (!is_same(other, "network") || !is_same(other, "weights_sha256") || !is_same(other, "real_folder"))
      figures.push_back(other);
  figures.push_back(figure);
  st::write_json(path, st::Json::object({{"figures", figures}}));
}

}  // namespace

int evaluate(const Options& options) {
  auto const real_files = images_in(options.real), generated_files = images_in(options.generated);
  auto const path = st::FilePath(options.generated) / "metrics.json";
  (void)read_figures(path);  // what is wrong with it is said before the work
  auto const network =
      example::gpu_number(options.device) ? gpu_feature_network(options) : example::feature_network(options.weights);
  st::require(network->name().starts_with(options.features), "--features: given ", options.features,
              " and the weights of ", network->name());
  example::announce(options, "Features of %zu and %zu images by %s", real_files.size(), generated_files.size(),
                    network->name().c_str());
  auto const real = features_of(*network, real_files, options.quiet);
  auto const figures = st::compare(real, features_of(*network, generated_files, options.quiet));
  auto figure = st::Json::object({{"real_folder", relative_path(options.real, options.generated)}});
  figure.update(st::to_json(figures));
  write_figure(path, figure);
  std::printf("FID: %.4f\n", figures.fid);
  if (figures.kid)
    std::printf("KID: %.6f (deviation %.6f, over %lld subsets of %lld images), %.6f of all images\n", figures.kid->mean,
                figures.kid->standard_deviation, static_cast<long long>(figures.kid_subsets.subsets),
                static_cast<long long>(figures.kid_subsets.subset_size), *figures.kid_of_all);
  if (figures.precision_recall)
    std::printf("precision %.4f, recall %.4f\n", figures.precision_recall->precision, figures.precision_recall->recall);
  std::printf("by %s (SHA-256 of its weights %s) of %lld images against %lld; all of it is in %s\n",
              network->name().c_str(), network->hash().c_str(), static_cast<long long>(figures.generated),
              static_cast<long long>(figures.real), path.c_str());
  return 0;
}

}  // namespace afhq
