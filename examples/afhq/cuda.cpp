#include "afhq/sample.hpp"
#include "afhq/train.hpp"
#include "common/feature_network.hpp"

int afhq::train_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return TrainingRun<T, st::Cuda>(options)(); });
}
int afhq::draw_cuda(const SamplingTask& task) {
  return example::run_on_gpu(task, [&]<class T>(T) { return draw<T, st::Cuda>(task); });
}
std::unique_ptr<stipple::FeatureNetwork> afhq::gpu_feature_network(const Options& options) {
  auto in_float = options;
  in_float.precision = "fp32";
  std::unique_ptr<st::FeatureNetwork> network;
  example::run_on_gpu(in_float, [&]<class T>(T) {
    network = example::feature_network<st::Cuda>(options.weights);
    return 0;
  });
  return network;
}
