#include "points2d/run.hpp"

int points2d::run_bf16(const Options& options) { return Run<st::bf16, st::Cpu>(options)(); }
