#include <stipple/metrics/evaluate.hpp>
#include <stipple/metrics/fid.hpp>

#include "invariance.hpp"
#include "metrics/features.hpp"

using namespace stipple;

namespace {

/// Mean and mean square of each channel: two features a channel.
class Moments : public FeatureNetwork {
 public:
  explicit Moments(const std::string& hash = "0123") : FeatureNetwork({"moments", hash, 3, 6}) {}

 private:
  Tensor<float> features(const Tensor<float>& images) const override {
    Index const n = images.dim(0), pixels = images.dim(1) * images.dim(2);
    auto result = Tensor<float>::zeros({n, 6});
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < pixels * 3; ++j) {
        float const value = images.data()[i * pixels * 3 + j];
        result.data()[i * 6 + j % 3] += value / static_cast<float>(pixels);
        result.data()[i * 6 + 3 + j % 3] += value * value / static_cast<float>(pixels);
      }
    return result;
  }
};

Tensor<std::uint8_t> random_pixels(Shape shape, std::uint64_t seed) {
  Rng rng(seed);
  auto const uniform = rng.uniform(shape, 0, 256, Purpose::data);
  Tensor<std::uint8_t> pixels(shape);
  for (Index i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(uniform.data()[i]);
  return pixels;
}

}  // namespace

TEST_CASE("figures do not depend on how images come") {
  Moments const network;
  auto const a = random_pixels({23, 4, 5, 3}, 1), b = random_pixels({17, 4, 5, 3}, 2);
  auto const wanted = evaluate(network, batches_of(a, 23), batches_of(b, 17));
  for (Index const size : {1, 4, 32}) {
    auto const given = evaluate(network, batches_of(a, size), batches_of(b, size));
    CHECK(to_json(given) == to_json(wanted));
  }
  CHECK(wanted.network == "moments");
  CHECK(wanted.hash == "0123");
  CHECK(wanted.real == 23);
  CHECK(wanted.generated == 17);
}

TEST_CASE("figures are those of the measures over the features") {
  Moments const network;
  auto const a = random_pixels({23, 3, 3, 3}, 1), b = random_pixels({17, 3, 3, 3}, 2);
  auto const real = collect_features(network, batches_of(a)), generated = collect_features(network, batches_of(b));
  REQUIRE(real.vectors.shape() == Shape{23, 6});
  REQUIRE(generated.count == 17);
  auto const figures = compare(real, generated, {.neighbours = 2});
  CHECK(figures.fid == frechet_distance(real.vectors, generated.vectors));
  auto const pr = precision_recall(real.vectors, generated.vectors, 2);
  CHECK(figures.precision_recall->precision == pr.precision);
  CHECK(figures.precision_recall->recall == pr.recall);

  // Small sets: subsets of half the smaller one, and an estimate from all vectors of both.
  CHECK(figures.kid_subsets.subsets == 100);
  CHECK(figures.kid_subsets.subset_size == 8);
  Rng rng(0);
  auto const kid = kernel_distance(real.vectors, generated.vectors, {100, 8}, rng);
  CHECK(figures.kid->mean == kid.mean);
  CHECK(figures.kid->standard_deviation == kid.standard_deviation);
  CHECK(kid.standard_deviation > 0);
  CHECK(figures.kid_of_all == kernel_distance(real.vectors, generated.vectors));
  CHECK(std::abs(*figures.kid_of_all - kid.mean) < kid.standard_deviation);
  auto const drawn = compare(real, generated, {.kernel = {5, 10}, .seed = 3});
  Rng other(3);
  CHECK(drawn.kid->mean == kernel_distance(real.vectors, generated.vectors, {5, 8}, other).mean);
  CHECK(compare(real, generated, {.kernel = {5, 7}}).kid_subsets.subset_size == 7);
  auto const pair = collect_features(network, batches_of(random_pixels({2, 3, 3, 3}, 3)));
  CHECK(compare(pair, real).kid_subsets.subset_size == 2);
  CHECK(drawn.kid_subsets.subset_size == 8);

  auto const json = to_json(drawn);
  for (const char* const name :
       {"network", "weights_sha256", "real_images", "generated_images", "fid", "kid_mean", "kid_standard_deviation",
        "kid_subsets", "kid_subset_size", "kid_of_all", "precision", "recall"})
    CHECK(json.contains(name));
}

TEST_CASE("statistics alone give the Frechet distance alone") {
  Moments const network;
  auto const a = random_pixels({9, 4, 4, 3}, 1), b = random_pixels({8, 4, 4, 3}, 2);
  auto const real = collect_features(network, batches_of(a), Keep::statistics);
  CHECK_FALSE(real.vectors.defined());
  auto const figures = compare(real, collect_features(network, batches_of(b)));
  CHECK(figures.fid == evaluate(network, batches_of(a), batches_of(b)).fid);
  CHECK_FALSE(figures.kid.has_value());
  CHECK_FALSE(figures.kid_of_all.has_value());
  CHECK_FALSE(figures.precision_recall.has_value());
  CHECK_FALSE(to_json(figures).contains("kid_mean"));
}

TEST_CASE("float images count as the files they become") {
  auto const images = random_tensor({3, 2, 2, 3});  // beyond [-1, 1] here and there
  auto const next = batches_of(images, 2);
  auto const first = next(), second = next();
  REQUIRE(first.shape() == Shape{2, 2, 2, 3});
  REQUIRE(second.shape() == Shape{1, 2, 2, 3});
  CHECK_FALSE(next().defined());
  CHECK_FALSE(next().defined());
  auto const wanted = [](float x) { return std::nearbyint(std::clamp(x / 2 + 0.5f, 0.0f, 1.0f) * 255) / 127.5f - 1; };
  for (Index i = 0; i < first.size(); ++i) CHECK(first.data()[i] == Approx(wanted(images.data()[i])).margin(1e-6));
  for (Index i = 0; i < second.size(); ++i)
    CHECK(second.data()[i] == Approx(wanted(images.data()[first.size() + i])).margin(1e-6));
}

TEST_CASE("feature networks and figures refuse what does not fit") {
  Moments const network;
  CHECK(network.channels() == 3);
  CHECK(network.dim() == 6);
  require_error(
      [&] {
        network(Tensor<float>::zeros({2, 4, 4, 1}));
      },
      "moments: given images of shape (2, 4, 4, 1), wanted (N, H, W, 3)");
  require_error([&] { network(Tensor<float>::zeros({0, 4, 4, 3})); }, "at least one");
  require_error([&] { network(Tensor<float>()); }, "wanted (N, H, W, 3)");
  auto images = Tensor<float>::zeros({2, 1, 1, 3});
  images.data()[4] = 1.5f;
  require_error([&] { network(images); }, "moments: given 1.5 in image 1, wanted values in [-1, 1]");
  images.data()[4] = std::nanf("");
  require_error([&] { network(images); }, "in image 1");

  require_error([&] { batches_of(random_pixels({2, 4, 4, 3}, 1), 0); }, "given batches of 0 images");
  require_error([&] { collect_features(network, batches_of(random_pixels({1, 4, 4, 3}, 1))); }, "given 1 images");
  auto const pixels = random_pixels({4, 2, 2, 3}, 1);
  require_error(
      [&] {
        compare(collect_features(network, batches_of(pixels)), collect_features(Moments("4567"), batches_of(pixels)));
      },
      "given features of moments (0123) and of moments (4567)");
}
