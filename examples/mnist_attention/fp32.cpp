#include "mnist_attention/run.hpp"

int mnist_attention::run_fp32(const Options& options) { return Run<float, st::Cpu>(options)(); }
