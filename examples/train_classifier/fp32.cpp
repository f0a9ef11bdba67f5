#include "train_classifier/run.hpp"

int train_classifier::run_fp32(const Options& options) { return Run<float, st::Cpu>(options)(); }
