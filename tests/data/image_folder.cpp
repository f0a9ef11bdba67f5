// Image folders: what is listed, how it is read, and what is said of damaged files.
#include <stipple/core/context.hpp>
#include <stipple/data/image_folder.hpp>
#include <stipple/io/image.hpp>
#include <stipple/io/read_image.hpp>

#include "check.hpp"
#include "invariance.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

const std::filesystem::path jpegs = STIPPLE_TEST_REFERENCE_DIR "/images";

// Classes "cat" with a, b, c and "dog" with d; the pixels are the letters.
void put_classes(const ScratchFolder& folder) {
  std::filesystem::create_directories(folder / "cat/more");
  std::filesystem::create_directories(folder / "dog");
  auto const put = [&](const std::string& name, Index channels) {
    Tensor<std::uint8_t> image({6, 9, channels}, static_cast<std::uint8_t>(*(name.end() - 5)));
    write_png(folder / name, image);
  };
  put("cat/b.png", 3);
  put("cat/a.PNG", 1);
  put("cat/more/c.png", 3);
  put("dog/d.png", 3);
}

std::vector<int> first_pixels(const ImageDataset& dataset) {
  std::vector<int> pixels;
  for (Index i = 0; i < dataset.size(); ++i) pixels.push_back(dataset.images.slice(i, i + 1).data()[0]);
  return pixels;
}
std::vector<int> labels(const ImageDataset& dataset) {
  return {dataset.labels.span().begin(), dataset.labels.span().end()};
}

}  // namespace

TEST_CASE("an image folder has sorted classes from 1 and sorted images in colour at one size") {
  ScratchFolder const folder;
  put_classes(folder);
  put_bytes(folder / "dog/notes.txt", "no image");
  put_bytes(folder / "dog/._d.png", "nor this");
  std::filesystem::create_directories(folder / ".hidden");
  std::filesystem::create_directories(folder / "cat/.thumbnails");
  put_bytes(folder / "cat/.thumbnails/e.png", "nor this");
  auto const set = data::image_folder(folder.path(), {.height = 4, .width = 5});
  CHECK(set.classes == std::vector<std::string>{"cat", "dog"});
  CHECK(set.dataset.images.shape() == Shape{4, 4, 5, 3});
  CHECK(labels(set.dataset) == std::vector<int>{1, 1, 1, 2});
  CHECK(first_pixels(set.dataset) == std::vector<int>{'a', 'b', 'c', 'd'});
  CHECK(set.files[2] == folder / "cat/more/c.png");
  CHECK(set.damaged.empty());
  auto const few = data::image_folder(folder.path(), {.max_per_class = 2});
  CHECK(few.dataset.images.shape() == Shape{3, 64, 64, 3});
  CHECK(first_pixels(few.dataset) == std::vector<int>{'a', 'b', 'd'});
}

TEST_CASE("an image folder has the pixels of its files, with any number of threads") {
  ScratchFolder const folder;
  std::filesystem::create_directories(folder / "one");
  for (const char* const name : {"color", "gray", "cmyk"})
    std::filesystem::copy_file(jpegs / (std::string(name) + ".jpg"), folder / ("one/" + std::string(name) + ".jpg"));
  ContextGuard const guard;
  Index told = 0;
  auto const progress = [&](Index done, Index total) {
    CHECK(total == 3);
    told = done;
  };
  data::ImageFolderOptions const options{16, 24, Resampling::bicubic, 0, data::Damaged::refuse, progress};
  set_num_threads(1);
  auto const set = data::image_folder(folder.path(), options);
  CHECK(told == 3);
  auto const color = resampled(read_image(jpegs / "color.jpg"), 16, 24, Resampling::bicubic);
  CHECK(max_abs_difference(set.dataset.images.slice(1, 2).reshape({16, 24, 3}), color) == 0);
  auto const gray = resampled(read_image(jpegs / "gray.jpg"), 16, 24, Resampling::bicubic);
  for (Index i = 0; i < gray.size() * 3; ++i) REQUIRE(set.dataset.images.slice(2, 3).data()[i] == gray.data()[i / 3]);
  set_num_threads(3);
  CHECK(max_abs_difference(data::image_folder(folder.path(), options).dataset.images, set.dataset.images) == 0);
}

TEST_CASE("damaged files of an image folder are refused or skipped by name") {
  ScratchFolder const folder;
  put_classes(folder);
  put_bytes(folder / "cat/aa.jpg", bytes_of(jpegs / "color.jpg").substr(0, 900));
  put_bytes(folder / "dog/e.jpg", "");
  std::filesystem::create_symlink(folder / "nowhere", folder / "dog/f.png");
  auto const wanted = "read_jpeg: '" + (folder / "cat/aa.jpg").string() + "': Premature end of JPEG file";
  require_error([&] { data::image_folder(folder.path()); }, wanted);
  auto const set = data::image_folder(folder.path(), {.damaged = data::Damaged::skip});
  CHECK(labels(set.dataset) == std::vector<int>{1, 1, 1, 2});
  CHECK(first_pixels(set.dataset) == std::vector<int>{'a', 'b', 'c', 'd'});
  CHECK(set.files[1] == folder / "cat/b.png");
  REQUIRE(set.damaged.size() == 3);
  CHECK(set.damaged[0] == wanted);
  CHECK(set.damaged[1].find("dog/e.jpg") != std::string::npos);
  CHECK(set.damaged[2].find("dog/f.png") != std::string::npos);
  std::filesystem::remove(folder / "dog/d.png");
  require_error([&] { data::image_folder(folder.path(), {.damaged = data::Damaged::skip}); },
                "dog' are damaged, the first of all: ");
}

TEST_CASE("folders without images are refused") {
  ScratchFolder const folder;
  require_error([&] { data::image_folder(folder / "missing"); }, "cannot read the folder");
  require_error([&] { data::image_folder(folder.path()); }, "has no folders, wanted one for the images of each class");
  std::filesystem::create_directories(folder / "cat");
  require_error([&] { data::image_folder(folder.path()); }, "cat' holds no .jpg, .jpeg or .png file");
  require_error([&] { data::list_images(folder / "missing"); }, "list_images: cannot read the folder");
  put_bytes(folder / "file", "");
  require_error([&] { data::image_folder(folder / "file"); }, "cannot read the folder");
}
