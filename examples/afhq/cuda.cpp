#include "afhq/sample.hpp"
#include "afhq/train.hpp"

int afhq::train_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return TrainingRun<T, st::Cuda>(options)(); });
}
int afhq::draw_cuda(const SamplingTask& task, const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return draw<T, st::Cuda>(task); });
}
