// Data sets made from others: padding, choosing, splitting at random.
#include <algorithm>
#include <array>
#include <map>
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

TEST_CASE("randomly_shifted: every image whole or cut, moved by its own random number") {
  constexpr Index n = 400, most = 1;
  Tensor<float> images({n, 3, 4, 2}, -1.0f);
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < 2; ++c) images.data()[i * 24 + (1 * 4 + 2) * 2 + c] = static_cast<float>(c + 1);  // (1, 2)
  Rng rng(3), again(3), other(4);
  auto const moved = randomly_shifted(images, most, rng);
  std::map<std::pair<Index, Index>, int> places;
  for (Index i = 0; i < n; ++i)
    for (Index y = 0; y < 3; ++y)
      for (Index x = 0; x < 4; ++x) {
        const float* const pixel = moved.data() + ((i * 3 + y) * 4 + x) * 2;
        if (pixel[0] == 1 && pixel[1] == 2)
          ++places[{y, x}];
        else
          REQUIRE((pixel[0] == -1 && pixel[1] == -1));
      }
  REQUIRE(places.size() == 9);
  for (auto const& [place, count] : places) {
    CHECK(std::abs(place.first - 1) <= most);
    CHECK(std::abs(place.second - 2) <= most);
    CHECK(std::abs(count - 400.0 / 9) < 30);
  }
  CHECK(max_abs_difference(randomly_shifted(images, most, again), moved) == 0);
  CHECK(max_abs_difference(randomly_shifted(images, most, other), moved) > 0);
}

TEST_CASE("randomly_shifted: what comes in, a batch in parts, and what does not fit") {
  Tensor<float> const images({3, 2, 3, 1}, 1.0f);
  Rng first(7), second(7), third(7);
  auto const all = randomly_shifted(images, 1, first, 0.25f, 10);
  auto const part = randomly_shifted(images.slice(1, 3), 1, second, 0.25f, 11);
  CHECK(max_abs_difference(all.slice(1, 3), part) == 0);
  for (float const value : all.span()) CHECK((value == 1.0f || value == 0.25f));
  CHECK(max_abs_difference(randomly_shifted(images, 0, third), images) == 0);
  require_error([&] { randomly_shifted(images, 2, third); }, "given 2 pixels for images of 2 x 3");
  require_error([&] { randomly_shifted(images, -1, third); }, "given -1 pixels");
  require_error([&] { randomly_shifted(Tensor<float>({2, 2}), 1, third); }, "wanted images (N, H, W, C)");
}
