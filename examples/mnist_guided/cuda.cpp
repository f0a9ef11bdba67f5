#include "mnist_guided/run.hpp"

int mnist_guided::run_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return Run<T, st::Cuda>(options)(); });
}
