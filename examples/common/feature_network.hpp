// The feature network behind a program's figures.
#pragma once

#include <memory>
#include <string>

#include <stipple/metrics/pretrained_features.hpp>

#include "idx_data.hpp"

namespace example {

/// The file of MobileNetV2's weights, in the folders in which data sets are looked for; empty if there is none.
inline st::FilePath find_mobilenet() {
  std::error_code error;
  for (auto const& folder : candidate_folders("mobilenet_v2", ""))
    if (auto const file = folder / "mobilenet_v2.safetensors"; std::filesystem::exists(file, error)) return file;
  return {};
}

/// The network whose weights are in the file `given`, to be computed on D; if that is empty, MobileNetV2. Throws Error
/// that names scripts/get-data if its weights are nowhere.
template <st::Device D = st::Cpu>
std::unique_ptr<st::FeatureNetwork> feature_network(const std::string& given) {
  st::FilePath const file = given.empty() ? find_mobilenet() : st::FilePath(given);
  st::require(!file.empty(), "no mobilenet_v2.safetensors where data sets are looked for; ",
              "`scripts/get-data mobilenet_v2` fetches it");
  return st::load_feature_network<D>(file);
}

/// What --help says of the option that `feature_network` takes.
inline std::string feature_network_help() {
  return "File of the weights of Inception v3 or MobileNetV2 behind the figures, as safetensors; without it "
         "MobileNetV2 "
         "from scripts/get-data mobilenet_v2";
}

}  // namespace example
