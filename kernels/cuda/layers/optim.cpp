// The definitions of the layer `optim` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_optim
#include <stipple/cuda.hpp>

#include "../../layers/optim.cpp"
