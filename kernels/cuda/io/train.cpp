// The definitions of the layer `train` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_train
#include <stipple/cuda.hpp>
#include <stipple/train/trainer_core.hpp>
