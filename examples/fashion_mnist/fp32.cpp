#include "fashion_mnist/run.hpp"

int fashion_mnist::run_fp32(const Options& options) { return Run<float, st::Cpu>(options)(); }
