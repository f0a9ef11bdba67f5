// Loader: every sample once an epoch, orders and flips that depend on seed and epoch alone, exact positions.
#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include <stipple/data/loader.hpp>

#include "check.hpp"
#include "invariance.hpp"

using namespace stipple;

namespace {

/// Image i is 2 x 3 with pixels 10 i ... 10 i + 5 (modulo 256) and label i.
ImageDataset numbered_images(Index n) {
  ImageDataset set{Tensor<std::uint8_t>({n, 2, 3, 1}), Tensor<std::int32_t>({n})};
  for (Index i = 0; i < n; ++i) {
    set.labels.data()[i] = static_cast<std::int32_t>(i);
    for (Index j = 0; j < 6; ++j) set.images.data()[i * 6 + j] = static_cast<std::uint8_t>(10 * i + j);
  }
  return set;
}

std::vector<std::int64_t> samples_of_epoch(Loader<ImageDataset>& loader) {
  std::vector<std::int64_t> samples;
  for (Index i = 0; i < loader.batches_per_epoch(); ++i) {
    auto const batch = loader.next();
    samples.insert(samples.end(), batch.samples.span().begin(), batch.samples.span().end());
  }
  return samples;
}

/// A data set whose batch fails when it holds sample 7.
struct Broken {
  using Batch = PointBatch;
  static constexpr bool can_flip = false, prefetches = true;
  Index size() const { return 10; }
  void check() const {}
  Batch batch(std::span<const Index> samples, const DrawKey*) const {
    if (samples[0] == 7) throw std::runtime_error("sample 7");
    return {Tensor<float>({1, 1}, static_cast<float>(samples[0])), Tensor<std::int64_t>({1}, samples)};
  }
};

}  // namespace

TEST_CASE("Loader: every sample once an epoch, in another order each time") {
  Loader loader{numbered_images(23), {.batch = 5, .seed = 1}};
  CHECK(loader.batches_per_epoch() == 5);
  auto const first = samples_of_epoch(loader), second = samples_of_epoch(loader);
  CHECK(loader.epoch() == 2);
  CHECK(first != second);
  auto sorted = first;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> all(23);
  std::iota(all.begin(), all.end(), 0);
  CHECK(first != all);
  CHECK(sorted == all);
  Loader again{numbered_images(23), {.batch = 5, .seed = 1}};
  CHECK(samples_of_epoch(again) == first);
  Loader other{numbered_images(23), {.batch = 5, .seed = 2}};
  CHECK(samples_of_epoch(other) != first);
  Loader plain{numbered_images(23), {.batch = 5, .shuffle = false}};
  CHECK(samples_of_epoch(plain) == all);
  CHECK(samples_of_epoch(plain) == all);
}

TEST_CASE("Loader: orders are spread evenly") {
  // Over many epochs each sample comes first about as often as the others: 4000 / 8 = 500, standard deviation 21.
  std::vector<int> counts(8);
  for (std::int64_t epoch = 0; epoch < 4000; ++epoch) ++counts[static_cast<std::size_t>(epoch_order(8, 3, epoch)[0])];
  for (int const count : counts) CHECK(std::abs(count - 500) < 5 * 21);
}

TEST_CASE("Loader: drop_last, the short last batch, values and labels") {
  Loader dropping{numbered_images(23), {.batch = 5, .drop_last = true}};
  CHECK(dropping.batches_per_epoch() == 4);
  Loader loader{numbered_images(23), {.batch = 5, .shuffle = false}};
  loader.seek(4);
  auto const last = loader.next();
  CHECK(last.images.shape() == Shape{3, 2, 3, 1});
  CHECK(last.labels.data()[2] == 22);
  CHECK(last.images.data()[0] == 200.0f / 255.0f * 2.0f - 1.0f);
  CHECK(detail::pixel_values()[0] == -1);
  CHECK(detail::pixel_values()[255] == 1);
  CHECK(loader.position() == 0);
  CHECK(loader.epoch() == 1);
}

TEST_CASE("Loader: a batch larger than any data set is the data set") {
  for (Index const batch : {Index{24}, std::numeric_limits<Index>::max()}) {
    Loader loader{numbered_images(23), {.batch = batch}};
    CHECK(loader.batches_per_epoch() == 1);
    CHECK(loader.next().images.dim(0) == 23);
  }
}

TEST_CASE("Loader: flips mirror about half of the images, by sample and epoch") {
  auto const set = numbered_images(20);
  auto const flipped = [&](Index batch, std::int64_t epoch) {
    Loader loader{set, {.batch = batch, .flip = true, .seed = 5}};
    loader.seek(epoch * loader.batches_per_epoch());
    std::set<std::int64_t> result;
    for (Index i = 0; i < loader.batches_per_epoch(); ++i) {
      auto const b = loader.next();
      for (Index j = 0; j < b.samples.size(); ++j) {
        const float* const row = b.images.data() + j * 6;
        auto const sample = b.samples.data()[j];
        bool const mirrored = row[0] > row[2];
        for (Index y = 0; y < 2; ++y)
          for (Index x = 0; x < 3; ++x) {
            auto const wanted = set.images.data()[sample * 6 + y * 3 + (mirrored ? 2 - x : x)];
            CHECK(row[y * 3 + x] == detail::pixel_values()[wanted]);
          }
        if (mirrored) result.insert(sample);
      }
    }
    return result;
  };
  std::size_t total = 0;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) total += flipped(20, epoch).size();
  CHECK(total > 150);  // of 400: 200 wanted, standard deviation 10
  CHECK(total < 250);
  CHECK(flipped(20, 0) != flipped(20, 1));
  CHECK(flipped(20, 3) == flipped(7, 3));
}

TEST_CASE("Loader: batch k is the same after seek, with and without prefetching") {
  Loader ahead{numbered_images(23), {.batch = 4, .flip = true, .seed = 1}};
  Loader plain{numbered_images(23), {.batch = 4, .flip = true, .seed = 1, .prefetch = false}};
  std::vector<ImageBatch> batches;
  for (int i = 0; i < 20; ++i) {
    batches.push_back(plain.next());
    CHECK(same_bits(ahead.next().images, batches.back().images));
  }
  for (std::int64_t const at : {13, 2, 2, 19, 0, 6}) {
    ahead.seek(at);
    CHECK(ahead.taken() == at);
    auto const batch = ahead.next();
    CHECK(same_bits(batch.images, batches[static_cast<std::size_t>(at)].images));
    CHECK(same_bits(batch.labels, batches[static_cast<std::size_t>(at)].labels));
  }
  auto moved = std::move(ahead);
  CHECK(same_bits(moved.next().images, batches[7].images));
}

TEST_CASE("Loader: ends while a batch is being made, an exception comes out for its batch") {
  for (int i = 0; i < 20; ++i) {
    Loader loader{numbered_images(100), {.batch = 50}};
    if (i % 2 == 0) (void)loader.next();
  }
  Loader loader{Broken{}, {.batch = 1, .shuffle = false}};
  for (int i = 0; i < 7; ++i) CHECK(loader.next().points.item() == static_cast<float>(i));
  CHECK_THROWS_AS(loader.next(), std::runtime_error);
  CHECK_THROWS_AS(loader.next(), std::runtime_error);
  loader.seek(8);
  CHECK(loader.next().points.item() == 8);
}

TEST_CASE("Loader: points") {
  PointDataset const set{random_tensor({10, 2})};
  Loader loader{set, {.batch = 4, .seed = 3}};
  CHECK(loader.batches_per_epoch() == 3);
  auto const batch = loader.next();
  CHECK(batch.points.shape() == Shape{4, 2});
  for (Index i = 0; i < 4; ++i)
    CHECK(batch.points.data()[2 * i + 1] == set.points.data()[2 * batch.samples.data()[i] + 1]);
}

TEST_CASE("Loader: bad input") {
  require_error([] { Loader{ImageDataset{}}; }, "wanted images (N, H, W, C)");
  require_error([] { Loader{PointDataset{}}; }, "wanted points (N, C)");
  auto wrong = numbered_images(4);
  wrong.labels = Tensor<std::int32_t>::zeros({3});
  require_error([&] { Loader{wrong}; }, "given labels of shape (3) for 4 images");
  require_error([] { Loader{numbered_images(4), {.batch = 0}}; }, "wanted a positive number");
  require_error([] { Loader{numbered_images(4), {.batch = 5, .drop_last = true}}; }, "given 4 samples");
  require_error([] { Loader{numbered_images(0)}; }, "given 0 samples");
  require_error([] { Loader{PointDataset{random_tensor({4, 2})}, {.flip = true}}; }, "only images can be flipped");
  Loader loader{numbered_images(4)};
  require_error([&] { loader.seek(-1); }, "wanted zero or more");
}
