#include "afhq/sample.hpp"
#include "afhq/train.hpp"

int afhq::train_bf16(const Options& options) { return TrainingRun<st::bf16, st::Cpu>(options)(); }
int afhq::draw_bf16(const SamplingTask& task) { return draw<st::bf16, st::Cpu>(task); }
