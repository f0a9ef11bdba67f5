#include "mnist_guided/run.hpp"

int mnist_guided::run_fp32(const Options& options) { return Run<float, st::Cpu>(options)(); }
