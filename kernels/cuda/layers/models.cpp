// The definitions of the layer `models` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_models
#include <stipple/cuda.hpp>

#include "../../layers/models.cpp"
