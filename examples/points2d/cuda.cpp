#include "points2d/run.hpp"

int points2d::run_cuda(const Options& options) {
  return example::run_on_gpu(options, [&]<class T>(T) { return Run<T, st::Cuda>(options)(); });
}
