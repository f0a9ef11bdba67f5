#include "train_classifier/run.hpp"

int train_classifier::run_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return Run<T, st::Cuda>(options)(); });
}
