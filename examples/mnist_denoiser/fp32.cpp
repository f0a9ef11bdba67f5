#include "mnist_denoiser/run.hpp"

int mnist_denoiser::run_fp32(const Options& options) { return Run<float, st::Cpu>(options)(); }
