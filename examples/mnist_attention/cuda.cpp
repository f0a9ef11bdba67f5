#include "mnist_attention/run.hpp"

int mnist_attention::run_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return Run<T, st::Cuda>(options)(); });
}
