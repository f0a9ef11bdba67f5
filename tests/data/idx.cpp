// Data sets of MNIST's layout, by folder and by name.
#include <cstdlib>

#include <stipple/data/idx.hpp>

#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

std::string idx_bytes(const std::vector<int>& extents, const std::string& elements) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(extents.size())};
  for (int const extent : extents)
    for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(extent >> shift & 0xff);
  return bytes + elements;
}

void put_set(const std::filesystem::path& folder, int images, int labels) {
  std::filesystem::create_directories(folder);
  for (std::string const part : {"train", "t10k"}) {
    int const n = part == "train" ? images : 1;
    put_bytes(folder / (part + "-images-idx3-ubyte"),
              idx_bytes({n, 2, 2}, std::string(static_cast<std::size_t>(4 * n), '\x7f')));
    put_bytes(folder / (part + "-labels-idx1-ubyte"),
              idx_bytes({part == "train" ? labels : 1},
                        std::string(static_cast<std::size_t>(part == "train" ? labels : 1), '\3')));
  }
}

/// Sets an environment variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (before_.empty())
      unsetenv(name_);
    else
      setenv(name_, before_.c_str(), 1);
  }

 private:
  const char* name_;
  std::string before_;
};

}  // namespace

TEST_CASE("data::idx: from a folder, and by name below STIPPLE_DATA") {
  ScratchFolder const folder;
  put_set(folder / "some-digits", 3, 3);
  auto const set = data::idx((folder / "some-digits").string());
  CHECK(set.images.shape() == Shape{3, 2, 2, 1});
  CHECK(set.labels.data()[2] == 3);
  CHECK(data::idx((folder / "some-digits").string(), data::Split::test).size() == 1);
  Environment const variable("STIPPLE_DATA", folder.path().string());
  CHECK(data::idx("some-digits").size() == 3);
}

TEST_CASE("data::idx: what is missing or does not fit is said") {
  ScratchFolder const folder;
  Environment const variable("STIPPLE_DATA", folder.path().string());
  require_error([] { data::idx("no-such-set"); }, "no data set 'no-such-set' in");
  require_error([] { data::idx("no-such-set"); }, folder.path().string());
  require_error([] { data::idx("/no/such/folder"); }, "no folder");
  put_set(folder / "uneven", 3, 2);
  require_error([] { data::idx("uneven"); }, "given labels of shape (2) for 3 images");
  std::filesystem::remove(folder / "uneven" / "train-labels-idx1-ubyte");
  require_error([] { data::idx("uneven"); }, "train-labels-idx1-ubyte");
}
