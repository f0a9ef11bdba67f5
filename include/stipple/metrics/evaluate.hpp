// Figures of generated images against real ones: FID, KID, precision and recall by one feature network.
//
// Header-only this includes Eigen, so that stipple.hpp leaves it out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/io/json.hpp>
#include <stipple/metrics/feature_network.hpp>
#include <stipple/metrics/kid.hpp>
#include <stipple/metrics/precision_recall.hpp>

namespace stipple {

class FeatureStatistics;

/// Hands over images batch by batch, (N, H, W, C) in [-1, 1] and of any number and size, and after the last an
/// undefined tensor.
using NextImages = std::function<Tensor<float>()>;

/// The images (N, H, W, C), 0 ... 255, in order. Shares their storage.
STIPPLE_IO_INLINE NextImages batches_of(const Tensor<std::uint8_t>& images, Index batch = 32);
/// Images around [-1, 1], clamped and rounded to 256 values: figures are those of images that were written to files.
STIPPLE_IO_INLINE NextImages batches_of(const Tensor<float>& images, Index batch = 32);

/// What a set of images looks like to a feature network.
struct FeatureSet {
  FeatureNetworkInfo network;
  Index count = 0;                                      ///< images
  std::shared_ptr<const FeatureStatistics> statistics;  ///< mean and covariance
  Tensor<float> vectors;                                ///< (count, D), or undefined if they were not kept
};

/// What is kept of a set: FID needs statistics alone, the other measures need the vectors.
enum class Keep { statistics, vectors };

/// The features of all images that `next` hands over. With Keep::statistics memory does not grow with their number.
/// Throws Error for less than two images.
STIPPLE_IO_INLINE FeatureSet collect_features(const FeatureNetwork& network, const NextImages& next,
                                              Keep keep = Keep::vectors);

struct EvaluationOptions {
  /// Subsets of the kernel distance. They are made smaller, to half the vectors of the smaller set, where it has less
  /// than twice `subset_size`: subsets of nearly all vectors would hardly differ, so that their deviation says nothing.
  KernelDistanceOptions kernel = {};
  Index neighbours = 3;    ///< of precision and recall
  std::uint64_t seed = 0;  ///< of the subsets
};

/// The figures, and all that must be said with them.
struct Evaluation {
  std::string network, hash;      ///< of the features
  Index real = 0, generated = 0;  ///< images
  double fid = 0;
  std::optional<KernelDistance> kid;
  KernelDistanceOptions kid_subsets;  ///< as they were drawn
  std::optional<double> kid_of_all;   ///< the unbiased estimate from all vectors of both sets
  std::optional<PrecisionRecall> precision_recall;
};

/// FID, and if both sets have their vectors, KID, precision and recall (these if there are more vectors than
/// neighbours). Throws Error if the sets are of different feature networks.
STIPPLE_IO_INLINE Evaluation compare(const FeatureSet& real, const FeatureSet& generated,
                                     const EvaluationOptions& options = {});

/// All of it in one call.
STIPPLE_IO_INLINE Evaluation evaluate(const FeatureNetwork& network, const NextImages& real,
                                      const NextImages& generated, const EvaluationOptions& options = {});

/// The figures as fields of one object, in the order of the struct; what was not computed is left out.
STIPPLE_IO_INLINE Json to_json(const Evaluation& evaluation);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(evaluate)

#include <algorithm>
#include <vector>

#include <stipple/data/dataset.hpp>
#include <stipple/io/image.hpp>
#include <stipple/metrics/fid.hpp>

namespace stipple {

STIPPLE_IO_INLINE NextImages batches_of(const Tensor<std::uint8_t>& images, Index batch) {
  require(batch >= 1, "batches_of: given batches of ", batch, " images, wanted at least 1");
  ImageDataset const dataset{images, {}};
  dataset.check();
  return [dataset, batch, done = Index{0}]() mutable -> Tensor<float> {
    std::vector<Index> samples(static_cast<std::size_t>(std::min(batch, dataset.size() - done)));
    std::iota(samples.begin(), samples.end(), done);
    done += static_cast<Index>(samples.size());
    return samples.empty() ? Tensor<float>() : dataset.batch(samples, nullptr).images;
  };
}

STIPPLE_IO_INLINE NextImages batches_of(const Tensor<float>& images, Index batch) {
  return batches_of(to_uint8(images), batch);
}

STIPPLE_IO_INLINE FeatureSet collect_features(const FeatureNetwork& network, const NextImages& next, Keep keep) {
  auto const statistics = std::make_shared<FeatureStatistics>();
  std::vector<Tensor<float>> parts;
  for (auto images = next(); images.defined(); images = next()) {
    auto const features = network(images);
    statistics->add(features);
    if (keep == Keep::vectors) parts.push_back(features);
  }
  Index const n = statistics->count();
  require(n >= 2, "collect_features: given ", n, " images, wanted at least 2");
  FeatureSet set{network.info(), n, statistics, {}};
  if (keep == Keep::statistics) return set;
  set.vectors = Tensor<float>({n, network.dim()});
  Index done = 0;
  for (auto const& part : parts) {
    set.vectors.slice(done, done + part.dim(0)).copy_from(part);
    done += part.dim(0);
  }
  return set;
}

STIPPLE_IO_INLINE Evaluation compare(const FeatureSet& real, const FeatureSet& generated,
                                     const EvaluationOptions& options) {
  auto const& network = real.network;
  require(network.name == generated.network.name && network.hash == generated.network.hash,
          "compare: given features of ", network.name, " (", network.hash, ") and of ", generated.network.name, " (",
          generated.network.hash, "), wanted those of one network");
  Evaluation result{network.name, network.hash, real.count, generated.count, 0, {}, {}, {}, {}};
  result.fid = frechet_distance(*real.statistics, *generated.statistics);
  if (!real.vectors.defined() || !generated.vectors.defined()) return result;
  Index const fewest = std::min(real.count, generated.count);
  result.kid_subsets = options.kernel;
  result.kid_subsets.subset_size = std::min(options.kernel.subset_size, std::max<Index>(2, fewest / 2));
  Rng rng(options.seed);
  result.kid = kernel_distance(real.vectors, generated.vectors, result.kid_subsets, rng);
  result.kid_of_all = kernel_distance(real.vectors, generated.vectors);
  if (fewest > options.neighbours)
    result.precision_recall = precision_recall(real.vectors, generated.vectors, options.neighbours);
  return result;
}

STIPPLE_IO_INLINE Evaluation evaluate(const FeatureNetwork& network, const NextImages& real,
                                      const NextImages& generated, const EvaluationOptions& options) {
  auto const reference = collect_features(network, real);
  return compare(reference, collect_features(network, generated), options);
}

STIPPLE_IO_INLINE Json to_json(const Evaluation& e) {
  Json json{{"network", e.network},
            {"weights_sha256", e.hash},
            {"real_images", e.real},
            {"generated_images", e.generated},
            {"fid", e.fid}};
  if (e.kid) {
    json["kid_mean"] = e.kid->mean;
    json["kid_standard_deviation"] = e.kid->standard_deviation;
    json["kid_subsets"] = e.kid_subsets.subsets;
    json["kid_subset_size"] = e.kid_subsets.subset_size;
    json["kid_of_all"] = *e.kid_of_all;
  }
  if (e.precision_recall) {
    json["precision"] = e.precision_recall->precision;
    json["recall"] = e.precision_recall->recall;
  }
  return json;
}

}  // namespace stipple

#endif
