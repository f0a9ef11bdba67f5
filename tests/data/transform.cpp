// Data sets made from others: padding, choosing, splitting at random.
#include <algorithm>
#include <array>
#include <set>

#include <stipple/data/transform.hpp>

#include "check.hpp"

using namespace stipple;

namespace {

/// Image i is 2 x 3 x 2 with values from 12 i, and has the label i.
ImageDataset numbered_images(Index n) {
  ImageDataset set{Tensor<std::uint8_t>({n, 2, 3, 2}), Tensor<std::int32_t>({n})};
  for (Index i = 0; i < set.images.size(); ++i) set.images.data()[i] = static_cast<std::uint8_t>(i);
  for (Index i = 0; i < n; ++i) set.labels.data()[i] = static_cast<std::int32_t>(i);
  return set;
}

}  // namespace

TEST_CASE("padded: pixels at every edge, the images in the middle") {
  auto const set = numbered_images(3), wide = padded(set, 2, 200);
  REQUIRE(wide.images.shape() == Shape{3, 6, 7, 2});
  for (Index n = 0; n < 3; ++n)
    for (Index y = 0; y < 6; ++y)
      for (Index x = 0; x < 7; ++x)
        for (Index c = 0; c < 2; ++c) {
          bool const inside = y >= 2 && y < 4 && x >= 2 && x < 5;
          int const wanted = inside ? set.images.data()[((n * 2 + y - 2) * 3 + x - 2) * 2 + c] : 200;
          REQUIRE(wide.images.data()[((n * 6 + y) * 7 + x) * 2 + c] == wanted);
        }
  CHECK(wide.labels.data()[2] == 2);
  CHECK(padded(set, 0).images.shape() == set.images.shape());
  require_error([&] { padded(set, -1); }, "padded: given -1 pixels");
  CHECK_THROWS_AS(padded(ImageDataset{}, 1), Error);
}

TEST_CASE("subset: images and labels in the order asked for") {
  auto const set = numbered_images(5);
  std::array<Index, 3> const chosen{4, 0, 4};
  auto const part = subset(set, chosen);
  REQUIRE(part.size() == 3);
  CHECK(part.labels.data()[0] == 4);
  CHECK(part.labels.data()[1] == 0);
  CHECK(part.images.data()[0] == 48);
  CHECK(part.images.data()[2 * 12 + 11] == 59);
  CHECK_FALSE(subset({set.images, {}}, chosen).labels.defined());
  require_error([&] { subset(set, std::array<Index, 1>{5}); }, "given sample 5 of 5");
}

TEST_CASE("random_split: two parts without a sample in common, as the seed decides") {
  auto const set = numbered_images(20);
  auto const labels = [](const ImageDataset& part) {
    return std::vector<std::int32_t>(part.labels.span().begin(), part.labels.span().end());
  };
  auto const [first, rest] = random_split(set, 15, 1);
  CHECK(first.size() == 15);
  CHECK(rest.size() == 5);
  auto all = labels(first);
  for (auto const label : labels(rest)) all.push_back(label);
  CHECK_FALSE(std::is_sorted(all.begin(), all.end()));
  CHECK(std::set<std::int32_t>(all.begin(), all.end()).size() == 20);
  for (Index i = 0; i < rest.size(); ++i)
    CHECK(rest.images.data()[i * 12] == static_cast<std::uint8_t>(12 * rest.labels.data()[i]));
  CHECK(labels(random_split(set, 15, 1).second) == labels(rest));
  CHECK(labels(random_split(set, 15, 2).second) != labels(rest));
  require_error([&] { random_split(set, 20, 1); }, "given 20 of 20");
  CHECK_THROWS_AS(random_split(set, 0, 1), Error);
}
