// The definitions of the layer `train`.
#define STIPPLE_UNIT STIPPLE_UNIT_train
#include <stipple/train/bound.hpp>
#include <stipple/train/progress.hpp>
#include <stipple/train/run_folder.hpp>
#include <stipple/train/signals.hpp>
#include <stipple/train/trainer_core.hpp>
