#include "train_classifier/run.hpp"

int train_classifier::run_bf16(const Options& options) { return Run<st::bf16, st::Cpu>(options)(); }
