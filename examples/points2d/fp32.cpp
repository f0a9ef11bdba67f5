#include "points2d/run.hpp"

int points2d::run_fp32(const Options& options) { return Run<float, st::Cpu>(options)(); }
