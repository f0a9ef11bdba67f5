#include "afhq/sample.hpp"
#include "afhq/train.hpp"

int afhq::train_fp32(const Options& options) { return TrainingRun<float, st::Cpu>(options)(); }
int afhq::draw_fp32(const SamplingTask& task) { return draw<float, st::Cpu>(task); }
