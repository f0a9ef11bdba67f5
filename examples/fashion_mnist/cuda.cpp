#include "fashion_mnist/run.hpp"

int fashion_mnist::run_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return Run<T, st::Cuda>(options)(); });
}
