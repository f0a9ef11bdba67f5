#include "mnist_attention/run.hpp"

int mnist_attention::run_bf16(const Options& options) { return Run<st::bf16, st::Cpu>(options)(); }
