// The definitions of the layer `autograd` for the GPU.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_autograd
#include <stipple/cuda.hpp>

#include "../../layers/autograd.cpp"
