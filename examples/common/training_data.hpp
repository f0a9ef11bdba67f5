// What names the data behind a run.
#pragma once

#include <span>

#include <stipple/data/dataset.hpp>
#include <stipple/io/hash.hpp>
#include <stipple/io/json.hpp>

namespace example {

namespace st = stipple;

/// Adds the number of training images and the SHA-256 of their pixels and labels to what makes a run what it is, so
/// that a resume with other data is refused.
inline void add_training_data(st::Json& configuration, const st::ImageDataset& set) {
  configuration["training_images"] = set.size();
  configuration["sha256_of_training_images"] = st::sha256(std::as_bytes(set.images.span()));
  if (set.labels.defined()) configuration["sha256_of_training_labels"] = st::sha256(std::as_bytes(set.labels.span()));
}

}  // namespace example
