#include "mnist_denoiser/run.hpp"

int mnist_denoiser::run_bf16(const Options& options) { return Run<st::bf16, st::Cpu>(options)(); }
