#include "mnist_guided/run.hpp"

int mnist_guided::run_bf16(const Options& options) { return Run<st::bf16, st::Cpu>(options)(); }
