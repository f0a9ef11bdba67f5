#include "fashion_mnist/run.hpp"

int fashion_mnist::run_bf16(const Options& options) { return Run<st::bf16, st::Cpu>(options)(); }
